"""A randomised model of the remote's protocol (docs: formats §5), without any of the product's code.

The remote is a dictionary: name → (value, server's date). Every operation on it is atomic; listing and reading are
separate steps, and any process may be killed, delayed or put to sleep between two steps. Two projects push to it,
compact its index, repair damage and collect garbage, all at once.

Invariant, looked at after every change: whatever a push reported as done can be read by a fresh reader, for as long
as its project uses it. The rules that make it so can be taken away one by one (`Mutant`): each of them must then
lose data in some run, or it would be no rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from protocol_world import (
    EXPIRES,
    FRESH,
    GRACE,
    OLD,
    PROJECTS,
    SUPERSEDED,
    USUAL,
    WINDOW,
    Condemn,
    Drop,
    Habits,
    Mutant,
    Pack,
    Record,
    Shard,
    State,
    Steps,
    World,
    read_state,
)


def pusher(world: World, project: str) -> Steps:
    objects = world.random.choice(world.roots)
    state = yield from read_state(world)
    if _is_pushed(world, state, project, objects):
        world.promised[world.name("noop-")] = (project, objects)
        world.stats["no-op"] += 1
        return
    mine: dict[int, set[str]] = defaultdict(set)
    missing = {oid for oid in objects if not world.usable(state, oid)}
    yield from world.wait(0.2, 25)
    for _ in range(8):
        yield from _upload(world, state, missing, mine)
        checked = world.time
        if Mutant.NO_FINAL_CHECK not in world.mutants:
            state = yield from read_state(world)
        missing = set()
        for oid in objects:
            names = {name for name in mine.get(oid, ()) if name not in state.condemned | state.dropped}
            if not (world.usable(state, oid) or names or (mine.get(oid) and Mutant.REUSES_NAMES in world.mutants)):
                missing.add(oid)
        if missing:
            continue
        began, slept = world.time, world.time
        yield from world.wait(0.2, 15)  # the lid is shut between check and commit
        slept = world.time - slept
        passed = world.time - checked
        if Mutant.CLOCK_STOPS_IN_SLEEP in world.mutants:
            passed -= slept
        unbound = world.mutants & {Mutant.NO_WINDOW, Mutant.NO_FINAL_CHECK}
        if passed > WINDOW and not unbound:
            world.stats["late before"] += 1
            continue
        yield from world.wait(*world.habits.slow_write)  # the write itself takes its time
        push = Record(world.name("push-"), project, began, checked, objects)
        shard = _last_shard(world, state, mine, push)
        name = world.name("index/")
        world.put(name, shard)
        date = world.time
        yield
        trusting = world.mutants & {Mutant.NO_WINDOW, Mutant.NO_FINAL_CHECK, Mutant.CLOCK_STOPS_IN_SLEEP}
        if date - checked > WINDOW and not trusting:
            world.stats["late after"] += 1
            continue
        if name not in world.list("index/"):
            continue
        world.promised[push.id] = (project, objects)
        # Whoever has the bytes and knows of the damage has healed it; what is not known to be damaged stays hurt.
        known = {
            n for record in state.gc.values() if isinstance(record, Condemn) and record.damaged for n in record.names
        }
        world.hurt -= {oid for oid in objects & world.hurt if not _still_hurt(world, oid, known)}
        world.stats["pushed"] += 1
        return


def _still_hurt(world: World, oid: int, known: set[str]) -> bool:
    """Whether a damaged name that nobody has reported may be what this object was counted on."""
    return any(
        name not in known and isinstance(value, Pack) and value.damaged and oid in value.objects
        for name, (value, _) in world.remote.items()
    )


def _is_pushed(world: World, state: State, project: str, objects: frozenset[int]) -> bool:
    for record in state.live.values():
        ours = record.project == project or Mutant.TRUSTS_OTHER_PROJECTS in world.mutants
        young = world.time - record.time < FRESH or Mutant.TRUSTS_OLD_RECORDS in world.mutants
        if ours and young and record.objects == objects and objects.isdisjoint(world.hurt):
            return True
    return False


def _upload(world: World, state: State, missing: set[int], mine: dict[int, set[str]]) -> Steps:
    todo = sorted(missing)
    world.random.shuffle(todo)
    while todo:
        count = world.random.randint(1, 3)
        group, todo = todo[:count], todo[count:]
        if len(group) == 1 and world.random.random() < 0.6:
            name = f"objects/{group[0]}"
            bad = name in state.condemned or name in state.dropped
            if bad and Mutant.REUSES_NAMES not in world.mutants:
                name = world.name(f"{name}.")
            there = world.get(name)
            if not (isinstance(there, Pack) and not bad):  # what is there with the right size is not sent again
                world.put(name, Pack(frozenset(group)))
        else:
            name = "packs/of-" + "-".join(map(str, sorted(group)))  # a pack of the cache, which has that name anywhere
            bad = name in state.condemned or name in state.dropped
            if world.random.random() < 0.5 or (bad and Mutant.REUSES_NAMES not in world.mutants):
                name = world.name("packs/")
            world.put(name, Pack(frozenset(group)))
        for oid in group:
            mine[oid].add(name)
        yield
        yield from world.wait(0.05, 25)
        if world.random.random() < 0.15:
            world.put(world.name("index/"), Shard({oid: frozenset(names) for oid, names in mine.items()}))  # interim
            yield


def _last_shard(world: World, state: State, mine: dict[int, set[str]], push: Record) -> Shard:
    places: dict[int, set[str]] = {oid: set(names) for oid, names in mine.items()}
    records = [push]
    supersedes: set[str] = set()
    if world.random.random() < 0.3 and len(state.shards) > 3:
        for name in [name for name in state.shards if world.random.random() < 0.7]:
            shard, date = state.shards[name]
            for oid, names in shard.places.items():
                if kept := names - state.dropped:
                    places.setdefault(oid, set()).update(kept)
            for record in shard.records:
                if record.id in state.live:
                    committed = date if record.committed is None else record.committed
                    carried = Record(record.id, record.project, record.time, record.checked, record.objects, committed)
                    records.append(carried)
            supersedes.add(name)
            if Mutant.FORGETS_SUPERSEDED not in world.mutants:
                supersedes |= shard.supersedes & state.shards.keys()
        world.stats["compacted"] += 1
    return Shard({oid: frozenset(names) for oid, names in places.items()}, tuple(records), frozenset(supersedes))


def cleaner(world: World) -> Steps:
    """Delete shards that another replaced long ago."""
    listed = world.list("index/")
    yield
    for name, date in listed.items():
        shard = world.get(name)
        patience = 0.0 if Mutant.FORGETS_SUPERSEDED in world.mutants else SUPERSEDED
        if isinstance(shard, Shard) and world.time - date >= patience:
            for old in sorted(shard.supersedes):
                world.delete(old)
                yield
        if Mutant.FORGETS_SUPERSEDED in world.mutants and isinstance(shard, Shard) and shard.supersedes:
            world.delete(name)


def accident(world: World) -> Steps:
    """A name's bytes go wrong; sooner or later a reader notices and says so."""
    names = sorted(world.list("packs/") | world.list("objects/"))
    if not names:
        return
    name = world.random.choice(names)
    pack = world.get(name)
    if not isinstance(pack, Pack) or pack.damaged:
        return
    world.put(name, Pack(pack.objects, damaged=True))
    world.hurt |= pack.objects
    world.stats["damaged"] += 1
    yield from world.wait(0.9, 5)
    yield
    world.put(world.name("gc/") + ".condemn", Condemn(frozenset([name]), damaged=True))
    yield


def collector(world: World, project: str) -> Steps:
    """Garbage collection by one project: condemn, and much later drop what anybody condemned."""
    state = yield from read_state(world)
    done = {record.condemn for record in state.gc.values() if isinstance(record, Drop)}
    old = [
        name
        for name, record in state.gc.items()
        if isinstance(record, Condemn) and name not in done and world.time - world.remote[name][1] >= GRACE
    ]
    if old and world.random.random() < 0.7:
        name = world.random.choice(old)
        record = state.gc[name]
        assert isinstance(record, Condemn)
        yield from _second_phase(world, project, name, record.names)
        return
    live = _needed(world, state, project)
    listed = world.list("packs/") | world.list("objects/")
    yield
    holds = _holds(state)
    chosen: set[str] = set()
    for name in world.random.sample(sorted(listed), len(listed)):
        if world.time - listed[name] < OLD or name in state.condemned:
            continue
        needed = holds[name] & live
        elsewhere = all(
            any(
                other != name and other in listed and other not in state.condemned | state.dropped | chosen
                for other in state.places[oid]
            )
            for oid in needed
        )
        if elsewhere and (not needed or world.random.random() < 0.5):
            chosen.add(name)
    if not chosen:
        return
    condemn = world.name("gc/") + ".condemn"
    world.put(condemn, Condemn(frozenset(chosen)))
    began = world.time
    yield
    while world.time - began < GRACE:
        yield
    yield from _second_phase(world, project, condemn, frozenset(chosen))


def _expirable(world: World, state: State, project: str) -> frozenset[str]:
    """Old records of this project whose objects it no longer uses."""
    used = {objects for owner, objects in world.promised.values() if owner == project}
    return frozenset(
        record.id
        for record in state.live.values()
        if record.project == project and world.time - record.time > EXPIRES and record.objects not in used
    )


def _needed(world: World, state: State, project: str) -> set[int]:
    expirable = _expirable(world, state, project)
    return {oid for record in state.live.values() if record.id not in expirable for oid in record.objects}


def _holds(state: State) -> dict[str, set[int]]:
    holds: dict[str, set[int]] = defaultdict(set)
    for oid, names in state.places.items():
        for name in names:
            holds[name].add(oid)
    return holds


def _second_phase(world: World, project: str, condemn: str, names: frozenset[str]) -> Steps:
    state = yield from read_state(world)
    expired = _expirable(world, state, project)
    live = _needed(world, state, project)
    holds = _holds(state)
    if Mutant.NO_RELOCATION not in world.mutants:
        for name in sorted(names):
            counted_out = state.condemned | state.dropped
            stuck = {oid for oid in holds[name] & live if not state.places[oid] - counted_out}
            pack = world.get(name)
            if stuck and isinstance(pack, Pack) and not pack.damaged:
                copy = world.name("packs/")
                world.put(copy, Pack(frozenset(stuck)))
                yield
                world.put(world.name("index/"), Shard({oid: frozenset([copy]) for oid in stuck}))
                for oid in stuck:
                    state.places[oid].add(copy)
                yield
    yield from world.wait(0.5, 25)
    world.put(world.name("gc/") + ".drop", Drop(condemn, names, expired))
    world.stats["dropped"] += len(names)
    yield
    for name in sorted(names):
        world.delete(name)
        yield


def run(seed: int, *mutants: Mutant, habits: Habits = USUAL, steps: int = 4000) -> Counter[str]:
    """One run; what happened in it. Raises DataLost."""
    world = World(seed, mutants, habits)
    busy: list[Steps] = []
    chance = world.random.random
    for _ in range(steps):
        world.time += world.random.expovariate(1.0) * 0.09
        draw = chance()
        if draw < habits.pushes:
            if len(busy) < 10:
                busy.append(pusher(world, world.random.choice(PROJECTS)))
        elif draw < habits.pushes + habits.collects:
            if len(busy) < 14:
                busy.append(collector(world, world.random.choice(PROJECTS)))
        elif draw < habits.pushes + habits.collects + 0.008:
            busy.append(cleaner(world))
        elif draw < habits.pushes + habits.collects + 0.0095:
            busy.append(accident(world))
        for project, forgets in zip(PROJECTS, habits.forgets, strict=True):
            if chance() < forgets / 2:
                _stop_using(world, project)
        if busy:
            process = world.random.choice(busy)
            if chance() < habits.killed:
                busy.remove(process)
                world.stats["killed"] += 1
                continue
            try:
                next(process)
            except StopIteration:
                busy.remove(process)
        if world.changed:
            world.changed = False
            world.check()
    return world.stats


def _stop_using(world: World, project: str) -> None:
    """A branch was deleted: what it needed is needed no more."""
    names = [name for name, (owner, _) in world.promised.items() if owner == project]
    if len(names) > 1:
        del world.promised[world.random.choice(names)]
