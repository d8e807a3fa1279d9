"""Nothing secret reaches a record, and what only sounds like a secret still counts."""

from __future__ import annotations

import pytest

from datatool.stages.secrets import hides, is_secret, visible_metrics, visible_values, visible_words, without_secrets


def test_a_secret_among_the_words_of_a_list_is_hidden_as_in_a_command() -> None:
    values = {"args": ["--token", "X", "--lr", 0.1, "--password", 12345, ["--token", "Y"]]}
    hidden = ["--token", "***", "--lr", 0.1, "--password", "***", ["--token", "***"]]
    assert visible_values(values) == {"args": hidden}


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "--password",
            "passwd",
            "secret",
            "client-secret",
            "AWS_SECRET_ACCESS_KEY",
        ),
        *("token", "hf_token", "GITHUB_TOKEN", "apiKey", "API_KEY", "apikey", "X-Api-Key", "ssh_key", "private-key"),
        *("credentials", "auth", "Authorization", "account_key"),
        *("PGPASSWORD", "MYSQL_PWD", "dbpassword", "userpwd", "SSHPASS", "db_pass", "dbPass", "pass", "pw", "--db-pw"),
        *("pin", "card_pin", "secret_id", "token_secret", "rate_limit_token", "password_count_secret", "password2"),
        *("otp", "--otp", "login_totp"),
    ],
)
def test_the_name_says_that_it_is_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "n_tokens", "pad_token", "eosToken", "token_count", "tokenizer", "author", "key", "sort_key"),
        *("keys", "monkey", "lr", "epochs", "secretary", "passenger", ""),
        *("compass", "bypass", "low_pass", "num_pass", "passes", "pass_through", "pw_width"),
        *("token_dropout", "tokenLoss", "token_ppl", "token_f1", "token_embedding_dim", "token_error_rate"),
        *("token_pooling", "mean_token_accuracy", "drop_token_prob", "auth_method", "password_length"),
        *("num_secrets", "secret_fraction", "api_key_count", "pin_memory", "spin", "num_pins"),
    ],
)
def test_a_name_that_only_sounds_like_one_hides_nothing(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("value", [0.1, "0.1", "1e-3", "-.5", 7, "1234", -12, True, "false", None, [64, 0.5], ()])
def test_an_ordinary_number_is_no_secret_unless_the_name_ends_in_the_word_for_one(value: object) -> None:
    assert not hides("token_value", value)
    assert hides("DB_PASSWORD", value) and hides("api_key", value) and hides("pin_token", value)


@pytest.mark.parametrize("value", [12345, "12345", "abc", "0x10", "1.2.3", "", ["abc"], {"a": 1}, "1e5x"])
def test_anything_else_behind_a_secret_name_is_one(value: object) -> None:
    assert hides("token_value", value)


@pytest.mark.parametrize("name", ["pass", "db_pass", "pin"])
def test_a_pass_or_pin_of_two_digits_is_none(name: str) -> None:
    assert [hides(name, value) for value in (2, "12", 123, "1234", 0.5, "ab")] == [False, False, *4 * [True]]


def test_numbers_among_metrics_are_never_hidden_and_texts_are() -> None:
    metrics = {
        "token": 0.5,
        "password": [1, 123456],
        "auth": {"secret": True},
        "token_name": "abc",
        "at": "https://a:b@h",
    }
    assert visible_metrics(metrics) == {
        "token": 0.5,
        "password": [1, 123456],
        "auth": {"secret": True},
        "token_name": "***",
        "at": "https://h",
    }


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("train --token_value 0.5 --token-value abc", "train --token_value 0.5 --token-value ***"),
        ("train --token_dropout=0.1 --password 0.1", "train --token_dropout=0.1 --password ***"),
        ("train token_value=0.5 token=0.5", "train token_value=0.5 token=***"),
        ("train --password abc --epochs 3", "train --password *** --epochs 3"),
        ("train --password=abc", "train --password=***"),
        ("env API_KEY=abc train", "env API_KEY=*** train"),
        ("get https://me:pw@host/a/b", "get https://host/a/b"),
        ("get https://tok@host/a", "get https://host/a"),
        ("get https://me:p@w@host/a", "get https://host/a"),
        ("get https://host/a?year=1999&sig=abc", "get https://host/a?year=1999&sig=***"),
        (
            "get s3://bucket/key?X-Amz-Signature=abc&X-Amz-Date=1",
            "get s3://bucket/key?X-Amz-Signature=***&X-Amz-Date=1",
        ),
        ("push ghp_0123456789abcdefghijKLMN", "push ***"),
        ("env PGPASSWORD=abc psql", "env PGPASSWORD=*** psql"),
        ("docker run --env=PGPASSWORD=abc image", "docker run --env=PGPASSWORD=*** image"),
        ("curl -u bob:abc url", "curl -u bob:*** url"),
        ("curl -su bob:abc url", "curl -su bob:*** url"),
        ("curl --user=bob:abc url", "curl --user=bob:*** url"),
        ("docker run -u www:www image", "docker run -u www:www image"),
        ("copy Server=x;Pwd=abc;Database=d", "copy Server=x;Pwd=***;Database=d"),
        ("copy Server=x;Pwd=abc;", "copy Server=x;Pwd=***;"),
        ("mount -o user=me,password=abc,ro share", "mount -o user=me,password=*** share"),
        ("ffmpeg -pass 2 a.mp4", "ffmpeg -pass 2 a.mp4"),
        ("train --lr 0.1 data/a.csv", "train --lr 0.1 data/a.csv"),
    ],
)
def test_the_words_of_a_command_are_shown_without_secrets(words: str, shown: str) -> None:
    assert visible_words(words.split()) == tuple(shown.split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("TOKEN=abc python train.py", "TOKEN=*** python train.py"),
        ("train --password 'a b' --epochs 3", "train --password *** --epochs 3"),
        ("curl -H 'Authorization: Bearer abcdefghij' x", "curl -H 'Authorization: *** ***' x"),
        ("curl -H 'Authorization: Bearer X' x", "curl -H 'Authorization: *** ***' x"),
        ("curl -u 'bob:X' x; PGPASSWORD=X psql", "curl -u 'bob:***' x; PGPASSWORD=*** psql"),
        ('{"password": "abc", "lr": 1}', '{"password": ***, "lr": 1}'),
        ("echo a=b c: d", "echo a=b c: d"),
    ],
)
def test_a_shell_line_in_one_word_is_looked_into(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert visible_words(["sh", "-c", text]) == ("sh", "-c", shown)


def test_parameters_are_looked_into_at_any_depth() -> None:
    values = {"lr": 0.1, "db": {"user": "me", "password": "abc"}, "urls": ["https://a:b@host/x"], "api_key": {"a": 1}}
    assert visible_values(values) == {
        "lr": 0.1,
        "db": {"user": "me", "password": "***"},
        "urls": ["https://host/x"],
        "api_key": "***",
    }


def test_values_are_looked_into_by_their_own_shape() -> None:
    values = {"db_pass": "X", "header": "Authorization: Bearer X", "database": "Server=x;Password=X;Port=1"}
    assert visible_values(values) == {
        "db_pass": "***",
        "header": "Authorization: *** ***",
        "database": "Server=x;Password=***;Port=1",
    }


def test_a_long_class_path_is_no_trouble() -> None:
    path = ":".join(f"lib/part{number}.jar" for number in range(3000)) + ":password=abc"
    assert visible_words(["java", "-cp", path, "x" * 100_000]) == ("java", "-cp", path[:-3] + "***", "x" * 100_000)
