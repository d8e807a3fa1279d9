"""What the reader of DVC projects does where storage, pointers or configuration are not as they should be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from datatool.errors import DamageFound, DatatoolError, PartlyDone, RemoteNotFound, UnsafeInput
from datatool.model.entry import DIRECTORY, EXECUTABLE, FILE
from datatool.registry.dvc.roots import dvc_root_of, find_dvc_roots
from datatool.registry.dvc.storage import STEP
from registry.dvc.dvc_world import Everything, Place, Project, git, md5

BIG = bytes(range(251)) * (2 * STEP // 251 + 1000)


def clone(project: Project, top: Path) -> str:
    """A clone that has no cache of its own, and that our git reads through a URL."""
    bare = top / "bare.git"
    git(top, "clone", "-q", "--bare", str(project.top), str(bare))
    return bare.as_uri()


def read(place: Place, project: Project) -> Everything:
    project.commit()
    return place.everything(str(project.top), None)


# What is offered


def test_modes_sizes_and_problems_are_told(place: Place, project: Project) -> None:
    project.track("run.sh", b"#!/bin/sh\n", isexec="true", size="10")
    project.track_directory("empty", [])
    project.write("broken.dvc", "outs:\n- md5: ../../x\n  path: broken\n")
    project.write("none.dvc", "outs:\n- hash: md5\n  path: none\n")
    project.write("kept.dvc", f"outs:\n- md5: {md5(b'')}\n  path: kept\n  cache: false\n")
    offers = {offer.path: offer for offer in read(place, project).dvc_offers()}
    assert set(offers) == {b"run.sh", b"empty", b"broken", b"none"}
    assert (offers[b"run.sh"].kind, offers[b"run.sh"].size) == (EXECUTABLE, 10)
    assert (offers[b"empty"].kind, offers[b"empty"].problem) == (DIRECTORY, None)
    assert "32 hex" in str(offers[b"broken"].problem)
    assert offers[b"none"].problem


def test_roots_are_told_without_storage(place: Place, project: Project) -> None:
    project.track("a/one.bin", b"1", size="1")
    project.track_directory("a/many", [{"md5": md5(b"x"), "relpath": "x"}])
    there = read(place, project)
    shutil.rmtree(project.store)
    roots = {root.path: root for reader in there.readers for root in reader.roots(b"a")}
    assert (roots[b"a/one.bin"].directory, roots[b"a/one.bin"].size) == (False, 1)
    assert roots[b"a/many"].directory


def test_a_path_inside_a_directory_gives_just_that(place: Place, project: Project) -> None:
    for data in (b"1", b"2"):
        project.keep(data)
    project.track_directory("d", [{"md5": md5(b"1"), "relpath": "in/1"}, {"md5": md5(b"2"), "relpath": "inner"}])
    there = read(place, project)
    assert place.bring(there, "d/in") == {"d/in/1": b"1"}
    assert place.bring(there, "d/inner") == {"d/inner": b"2"}
    assert place.bring(there, "d/none") == {}
    assert place.bring(there, "other") == {}


def test_files_that_only_serve_dvc_are_hidden(place: Place, project: Project) -> None:
    project.track("a.txt", b"1")
    for path in ("dvc.lock", ".dvcignore", "sub/.gitignore", "README.md", "notdvc", "dvc.yaml"):
        project.write(path, "{}\n")
    (reader,) = read(place, project).readers
    hidden = [b".dvc/config", b"a.txt.dvc", b"dvc.lock", b".dvcignore", b"sub/.gitignore"]
    assert all(reader.hidden(path) for path in hidden)
    assert not any(reader.hidden(path) for path in (b"README.md", b"notdvc", b"dvc.yaml", b"a.txt"))


@pytest.mark.parametrize("where", ["../../evil", ".git/hooks", "a/../../../evil", ".datatool"])
def test_pointers_to_places_outside_are_refused(place: Place, project: Project, where: str) -> None:
    project.keep(b"x")
    project.write("sub/x.dvc", f"wdir: {where}\nouts:\n- md5: {md5(b'x')}\n  hash: md5\n  path: x\n")
    (result,) = place.bring(read(place, project)).values()
    assert isinstance(result, DatatoolError)


@pytest.mark.parametrize("path", ["../evil", "/tmp/evil", "..\\evil", ".git/hooks/post-checkout", "a\0b"])
def test_a_hostile_list_costs_its_directory_alone(place: Place, project: Project, path: str) -> None:
    project.keep(b"x")
    project.track_directory("bad", [{"md5": md5(b"x"), "relpath": path}, {"md5": md5(b"x"), "relpath": "fine"}])
    project.track("good", b"y")
    found = place.bring(read(place, project))
    assert found["good"] == b"y"
    assert isinstance(found["bad"], DatatoolError)
    assert set(found) == {"good", "bad"}


def test_what_is_tracked_twice_is_given_once(place: Place, project: Project) -> None:
    project.track_directory("d", [{"md5": project.keep(b"1"), "relpath": "x"}])
    project.track("d/x", b"2")
    assert place.bring(read(place, project)) == {"d/x": b"1"}
    assert place.bring(place.everything(str(project.top), None), "d/x") == {"d/x": b"1"}


def test_ignored_pointers_are_not_seen(place: Place, project: Project) -> None:
    for path in ("a/x", "a/y", "b/z", "c/deep/w"):
        project.track(path, path.encode())
    project.write(".dvcignore", "/b\n*/x.dvc\nw.dvc\n")
    project.write("c/.dvcignore", "!w.dvc\n")
    there = read(place, project)
    assert set(place.bring(there)) == {"a/y", "c/deep/w"}
    assert place.bring(there, "b/z") == place.bring(there, "a/x") == {}
    assert place.bring(there, "c/deep/w") == {"c/deep/w": b"c/deep/w"}


def test_projects_inside_each_other_keep_their_own(place: Place, made_by_dvc: Path) -> None:
    there = place.everything(str(made_by_dvc / "mono"), "v1")
    assert find_dvc_roots(there.view) == [b"", b"teams/red"]
    assert dvc_root_of(there.view, b"teams/red/data/x.txt") == b"teams/red"
    assert find_dvc_roots(there.view, b"teams/red/data") == [b"teams/red"]
    assert dvc_root_of(there.view, b"teams/blue") == b""
    assert place.bring(there) == {"top.txt": b"top\n", "teams/red/data/x.txt": b"red\n"}
    assert place.bring(there, "teams/red/data/x.txt") == {"teams/red/data/x.txt": b"red\n"}


def test_a_repository_without_dvc_has_no_roots(place: Place, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    git(plain, "init", "-q")
    git(plain, "commit", "-q", "--allow-empty", "-m", "x")
    there = place.everything(str(plain), None)
    assert find_dvc_roots(there.view) == []


def test_the_executable_bit_is_in_the_pointer(place: Place, made_by_dvc: Path) -> None:
    kinds = {o.path: o.kind for o in place.everything(str(made_by_dvc / "songs"), "v2").dvc_offers(b"bin")}
    assert kinds == {b"bin/run.sh": EXECUTABLE}


# Where bytes come from


def test_wrong_and_missing_objects_cost_their_own_path_only(place: Place, project: Project) -> None:
    project.track("good", b"good")
    project.track("wrong", b"wrong")
    project.track("gone", b"gone")
    project.keep(b"other bytes", name=md5(b"wrong"))
    (project.store / "files/md5" / md5(b"gone")[:2] / md5(b"gone")[2:]).unlink()
    found = place.bring(read(place, project))
    assert found["good"] == b"good"
    assert isinstance(found["wrong"], DamageFound)
    assert md5(b"wrong") in str(found["wrong"])
    assert isinstance(found["gone"], PartlyDone)
    assert all(word in str(found["gone"]) for word in ("gone", md5(b"gone"), "remote s"))
    assert not place.cache.has(hashlib.sha256(b"other bytes").hexdigest())  # type: ignore[arg-type]


def test_the_two_layouts_are_never_mixed(place: Place, project: Project) -> None:
    project.keep(b"old", legacy=True)
    project.write("old.dvc", f"outs:\n- md5: {md5(b'old')}\n  path: old\n")
    project.write("new.dvc", f"outs:\n- md5: {md5(b'old')}\n  hash: md5\n  path: new\n")
    found = place.bring(read(place, project))
    assert found["old"] == b"old"
    assert isinstance(found["new"], PartlyDone)


def test_text_of_old_keeps_its_line_ends(place: Place, project: Project) -> None:
    project.keep(b"1\r\n2\r\n", legacy=True, name=md5(b"1\n2\n"))
    project.write("dos.dvc", f"outs:\n- md5: {md5(b'1' + chr(10).encode() + b'2' + chr(10).encode())}\n  path: dos\n")
    assert place.bring(read(place, project)) == {"dos": b"1\r\n2\r\n"}


def test_large_objects_come_whole(place: Place, project: Project) -> None:
    project.track("big", BIG, size=str(len(BIG)))
    project.track_directory("d", [{"md5": project.keep(BIG + b"!"), "relpath": "big"}])
    found = place.bring(read(place, project))
    assert found == {"big": BIG, "d/big": BIG + b"!"}
    assert not [name for name in os.listdir(place.cache.top / "tmp") if name != "tmp"]


def test_a_large_object_with_wrong_bytes_leaves_nothing(place: Place, project: Project) -> None:
    project.track("big", BIG, size=str(len(BIG)))
    project.keep(BIG[:-1] + b"?", name=md5(BIG))
    assert isinstance(place.bring(read(place, project))["big"], DamageFound)
    assert os.listdir(place.cache.top / "tmp") == []


def test_an_object_that_is_longer_than_the_pointer_says_is_given_up(place: Place, project: Project) -> None:
    project.track("big", b"x", size="1")
    project.keep(BIG, name=md5(b"x"))
    assert isinstance(place.bring(read(place, project))["big"], DamageFound)


def test_a_registry_on_this_machine_is_asked_for_its_own_cache_first(place: Place, project: Project) -> None:
    project.track("a", b"1")
    there = read(place, project)
    (project.top / ".dvc/cache").mkdir()
    shutil.move(project.store / "files", project.top / ".dvc/cache/files")
    assert place.bring(there) == {"a": b"1"}


def test_a_wrong_object_in_the_own_cache_is_had_from_the_remote(place: Place, project: Project) -> None:
    project.track("a", b"1")
    there = read(place, project)
    kept = project.top / ".dvc/cache/files/md5" / md5(b"1")[:2] / md5(b"1")[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"2")
    assert place.bring(there) == {"a": b"1"}


def test_another_cache_directory_counts(place: Place, tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[cache]\ndir = ../../elsewhere\n")
    project.store = tmp_path / "elsewhere"
    project.track("a", b"1")
    assert place.bring(read(place, project)) == {"a": b"1"}


def test_links_in_a_store_are_not_followed(place: Place, project: Project, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    project.track("a", b"secret")
    kept = project.store / "files/md5" / md5(b"secret")[:2] / md5(b"secret")[2:]
    kept.unlink()
    kept.symlink_to(secret)
    assert isinstance(place.bring(read(place, project))["a"], PartlyDone)


def test_what_was_brought_is_known_again(place: Place, project: Project) -> None:
    project.track("a", b"1")
    project.track_directory("d", [{"md5": project.keep(b"2"), "relpath": "x"}])
    there = read(place, project)
    assert place.bring(there) == {"a": b"1", "d/x": b"2"}
    shutil.rmtree(project.store)
    again = place.everything(str(project.top), None)
    assert place.bring(again) == {"a": b"1", "d/x": b"2"}
    assert all(offer.oid is not None and offer.size == 1 for offer in again.dvc_offers())


def test_what_one_registry_brought_is_not_given_to_another_that_knows_its_hash(
    place: Place, project: Project, tmp_path: Path
) -> None:
    project.track("a", b"private")
    assert place.bring(read(place, project)) == {"a": b"private"}
    other = Project.make(tmp_path, name="other", config="[core]\nremote = s\n['remote \"s\"']\nurl = ../../nothing\n")
    other.write("mine.dvc", f"outs:\n- md5: {md5(b'private')}\n  hash: md5\n  path: mine\n")
    assert isinstance(place.bring(read(place, other))["mine"], DatatoolError)


def test_many_objects_come_as_packs_and_equal_ones_once(place: Place, project: Project) -> None:
    contents = [b"%d" % (number // 2) for number in range(700)]
    listing = [{"md5": project.keep(data), "relpath": f"f{number}"} for number, data in enumerate(contents)]
    project.track_directory("d", listing)
    assert place.bring(read(place, project)) == {f"d/f{number}": data for number, data in enumerate(contents)}


# Remotes


def test_without_a_remote_the_hint_says_how_to_name_one(place: Place, tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\n")
    project.track("a", b"1")
    there = read(place, project)
    with pytest.raises(RemoteNotFound) as caught:
        place.bring(there)
    assert "--remote" in str(caught.value.hint)


def test_the_remote_that_the_user_typed_is_used(tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\n")
    project.track("a", b"1")
    place = Place(tmp_path / "user", given={"url": str(project.store)})
    assert place.bring(read(place, project)) == {"a": b"1"}


def test_a_remote_inside_of_another_one(place: Place, tmp_path: Path) -> None:
    config = """\
[core]
    remote = inner
['remote "outer"']
    url = ../..
['remote "inner"']
    url = remote://Outer/store
"""
    project = Project.make(tmp_path, config=config)
    project.track("a", b"1")
    assert place.bring(read(place, project)) == {"a": b"1"}


def test_remotes_in_a_circle_are_told(place: Place, tmp_path: Path) -> None:
    config = "[core]\nremote = a\n['remote \"a\"']\nurl = remote://b\n['remote \"b\"']\nurl = remote://a\n"
    project = Project.make(tmp_path, config=config)
    project.track("a", b"1")
    there = read(place, project)
    with pytest.raises(UnsafeInput, match="circle"):
        place.bring(there)


def test_local_configuration_wins_in_a_repository_on_this_machine(place: Place, tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\nremote = s\n['remote \"s\"']\nurl = ../../nothing\n")
    project.track("a", b"1")
    project.commit()
    (project.top / ".dvc/config.local").write_text("['remote \"S\"']\nurl = ../../store\n")
    assert place.bring(place.everything(str(project.top), None)) == {"a": b"1"}


def test_the_users_own_configuration_counts(tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\nremote = s\n")
    project.track("a", b"1")
    user = tmp_path / "dvc-config"
    user.mkdir()
    (user / "config").write_text(f"['remote \"s\"']\nurl = {project.store}\n")
    project.commit()
    place = Place(tmp_path / "user", environ={"DVC_GLOBAL_CONFIG_DIR": str(user)})
    assert place.bring(place.everything(str(project.top), None)) == {"a": b"1"}


# How far a registry by URL is trusted


def as_stranger(place: Place, project: Project, tmp_path: Path) -> Everything:
    """The project as one that the user named by a URL."""
    project.commit()
    there = place.everything(str(project.top), None)
    for reader in there.readers:
        repository = type(there.view.repository)(
            url="https://example.org/project", git_dir=there.view.repository.git_dir, local=None, offline=True
        )
        there.view.repository = repository
        reader._access = type(reader._access)(  # type: ignore[misc]
            repository=repository, scratch=place.top, trusted=place.trusted
        )
        reader._imports._access = reader._access
    return there


@pytest.mark.parametrize("url", ["../../store", "/home/victim", "~/.ssh", "file:///", "../../.."])
def test_a_registry_by_url_names_no_directory(place: Place, tmp_path: Path, url: str) -> None:
    project = Project.make(tmp_path, config=f"[core]\nremote = s\n['remote \"s\"']\nurl = {url}\n")
    project.track("a", b"1")
    there = as_stranger(place, project, tmp_path)
    with pytest.raises(UnsafeInput):
        place.bring(there)


@pytest.mark.parametrize(
    "settings",
    [
        "url = http://127.0.0.1:1/x",
        "url = s3://b/x\nendpointurl = https://evil.example",
        "url = simplecache::http://h/x",
    ],
)
def test_a_registry_by_url_leads_to_public_places_only(place: Place, tmp_path: Path, settings: str) -> None:
    project = Project.make(tmp_path, config=f"[core]\nremote = s\n['remote \"s\"']\n{settings}\n")
    project.track("a", b"1")
    with pytest.raises(DatatoolError) as caught:
        place.bring(as_stranger(place, project, tmp_path))
    assert any(word in str(caught.value) for word in ("127.0.0.1", "evil", "simplecache"))


def test_a_password_of_the_users_does_not_go_where_a_stranger_says(tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\nremote = s\n['remote \"s\"']\nurl = https://evil.example/x\n")
    project.track("a", b"1")
    user = tmp_path / "dvc-config"
    user.mkdir()
    (user / "config").write_text("['remote \"s\"']\nauth = basic\nuser = me\npassword = secret\n")
    place = Place(tmp_path / "user", environ={"DVC_GLOBAL_CONFIG_DIR": str(user)})
    there = as_stranger(place, project, tmp_path)
    assert there.readers[0]._store().settings.remote("s").mine == {}
    mine = place.everything(str(project.top), None)
    assert mine.readers[0]._store().settings.remote("s").mine == {"user": "me", "password": "secret"}


def test_a_place_of_the_users_own_may_be_used_by_a_stranger(tmp_path: Path) -> None:
    project = Project.make(tmp_path, config="[core]\nremote = s\n")
    project.track("a", b"1")
    user = tmp_path / "dvc-config"
    user.mkdir()
    (user / "config").write_text(f"['remote \"s\"']\nurl = {project.store}\n")
    place = Place(tmp_path / "user", environ={"DVC_GLOBAL_CONFIG_DIR": str(user)})
    assert place.bring(as_stranger(place, project, tmp_path)) == {"a": b"1"}


def test_credentials_in_a_commit_are_ignored_and_named(place: Place, tmp_path: Path) -> None:
    config = "[core]\nremote = s\n['remote \"s\"']\nurl = ../../store\npassword = x\ncredentialpath = ~/.aws/y\n"
    project = Project.make(tmp_path, config=config)
    project.track("a", b"1")
    there = read(place, project)
    assert place.bring(there) == {"a": b"1"}
    assert there.readers[0]._access.ignored == ["remotes.s.credentialpath", "remotes.s.password"]


# Imports


def imported(project: Project, path: str, url: str, source: str, *, digits: str | None = None, rev: str = "") -> None:
    known = "" if digits is None else f"  md5: {digits}\n"
    lock = f"\n    rev_lock: {rev}" if rev else ""
    project.write(
        f"{path}.dvc",
        f"deps:\n- path: {source}\n  repo:\n    url: {url}{lock}\nouts:\n- hash: md5\n{known}  path: {path}\n",
    )


def test_an_import_that_was_stored_is_not_asked_of_its_source(place: Place, project: Project) -> None:
    imported(project, "a", "../source", "x", digits=project.keep(b"1"))
    assert place.bring(read(place, project)) == {"a": b"1"}
    assert place.opened == [str(project.top)]


def test_an_import_with_other_bytes_at_its_source_is_damage(place: Place, project: Project, tmp_path: Path) -> None:
    source = Project.make(tmp_path, name="source")
    source.write("x", b"other")
    imported(project, "a", "../source", "x", digits=md5(b"1"), rev=source.commit())
    assert isinstance(place.bring(read(place, project))["a"], DamageFound)


def test_an_import_of_a_file_that_git_keeps(place: Place, project: Project, tmp_path: Path) -> None:
    source = Project.make(tmp_path, name="source")
    source.write("x", b"1")
    imported(project, "a", "../source", "x", digits=md5(b"1"), rev=source.commit())
    source.write("x", b"later")
    source.commit()
    assert place.bring(read(place, project)) == {"a": b"1"}


def test_imports_in_a_circle_are_told(place: Place, project: Project, tmp_path: Path) -> None:
    other = Project.make(tmp_path, name="other")
    imported(project, "a", "../other", "b")
    imported(other, "b", "../project", "a")
    other.commit()
    (result,) = place.bring(read(place, project)).values()
    assert isinstance(result, DatatoolError)
    assert "circle" in str(result)


def test_imports_are_followed_so_far_and_no_further(place: Place, tmp_path: Path) -> None:
    for number in range(12):
        one = Project.make(tmp_path, name=f"p{number}")
        if number:
            imported(one, "a", f"../p{number - 1}", "a")
        else:
            one.track("a", b"1")
        one.commit()
    assert place.bring(place.everything(str(tmp_path / "p8"), None)) == {"a": b"1"}
    (result,) = place.bring(place.everything(str(tmp_path / "p11"), None)).values()
    assert isinstance(result, DatatoolError)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".git/config"])
def test_the_path_of_an_import_stays_in_its_source(place: Place, project: Project, tmp_path: Path, path: str) -> None:
    Project.make(tmp_path, name="source").commit()
    imported(project, "a", "../source", path)
    (result,) = place.bring(read(place, project)).values()
    assert isinstance(result, DatatoolError)


@pytest.mark.parametrize(
    "url", ["../source", "/home/victim", "file:///home/victim", "https://127.0.0.1/x", "git://h/x"]
)
def test_a_registry_by_url_imports_from_public_places_only(
    place: Place, project: Project, tmp_path: Path, url: str
) -> None:
    imported(project, "a", url, "x")
    there = as_stranger(place, project, tmp_path)
    (result,) = place.bring(there).values()
    assert isinstance(result, DatatoolError)
    assert place.opened == [str(project.top)]


def test_names_that_are_no_text_come_through(place: Place, project: Project) -> None:
    listing = json.dumps([{"md5": project.keep(b"1"), "relpath": "bad\udcff"}])
    project.track_directory("d", json.loads(listing))
    assert place.bring(read(place, project)) == {"d/bad\udcff": b"1"}
    assert [offer.kind for offer in place.everything(str(project.top), None).dvc_offers()] == [FILE]
