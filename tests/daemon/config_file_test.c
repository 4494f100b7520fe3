#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/config_file.h"

#define FILE_NAME "orders.yaml"

static char folder[] = "/tmp/orderly-config-XXXXXX";
static char secret_path[sizeof folder + 16];

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    (void)snprintf(secret_path, sizeof secret_path, "%s/secret", folder);
    write_file("secret", "pss: [x\n", 8);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(FILE_NAME);
    (void)unlink("secret");
    return chdir("/") || rmdir(folder);
}

/* The caller ends it. */
static struct od_values loaded(const char *yaml, char *const environment[])
{
    struct od_values values;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    write_file(FILE_NAME, yaml, strlen(yaml));
    if (od_config_load(FILE_NAME, environment, &values, &error))
        fail_msg("%s", error.text);
    return values;
}

static const char *refusal(const char *yaml)
{
    static struct orderly_error error;
    struct od_values values;
    char *const environment[] = {NULL};
    error = (struct orderly_error)ORDERLY_ERROR_INIT;
    write_file(FILE_NAME, yaml, strlen(yaml));
    assert_int_equal(od_config_load(FILE_NAME, environment, &values, &error), ORDERLY_CONFIG);
    assert_int_equal(error.code, ORDERLY_CONFIG);
    return error.text;
}

static const char *value(const struct od_values *values, const char *name)
{
    const struct od_value *found = od_values_get(values, name);
    return found ? found->value : "(not set)";
}

static const char *origin(const struct od_values *values, const char *name)
{
    return od_values_get(values, name)->origin;
}

static const char whole[] =
    "kafka:\n"
    "  bootstrap.servers: localhost:9092\n"
    "  group.id: orders\n"
    "topics: [orders, '^more\\..*']\n"
    "start: earliest\n"
    "handler:\n"
    "  exec:   {command: [./handler, --fast, 'a,\"b'], timeout: 10m, kill_grace: 5s, env: {A: 1, B: 'x y'}}\n"
    "  http:   {status: {'409': ack}}\n"
    "concurrency: 64\n"
    "retry:\n"
    "  backoff: {first: 1s, factor: 2, max: 10m, jitter: 20%}\n"
    "  topic: \"{topic}.{group}.retry\"\n"
    "  never: [ValidationError]\n"
    "commit: {interval: never}\n"
    "memory: {records: 256MiB}\n"
    "admin: {listen: \"127.0.0.1:7930\"}\n";

static void paths_of_the_tree_are_names_of_settings(void **state)
{
    (void)state;
    struct od_values values = loaded(whole, NULL);
    assert_string_equal(value(&values, "kafka.bootstrap.servers"), "localhost:9092");
    assert_string_equal(value(&values, "topics"), "[\"orders\",\"^more\\\\..*\"]");
    assert_string_equal(value(&values, "handler.exec.command"), "[\"./handler\",\"--fast\",\"a,\\\"b\"]");
    assert_string_equal(value(&values, "handler.exec.env"), "{\"A\":\"1\",\"B\":\"x y\"}");
    assert_string_equal(value(&values, "handler.http.status"), "{\"409\":\"ack\"}");
    assert_string_equal(value(&values, "retry.backoff.jitter"), "20%");
    assert_string_equal(value(&values, "retry.topic"), "{topic}.{group}.retry");
    assert_string_equal(value(&values, "commit.interval"), "never");
    assert_string_equal(origin(&values, "start"), FILE_NAME ":5:8");
    assert_string_equal(origin(&values, "retry.backoff.first"), FILE_NAME ":11:20");
    struct orderly_config *config;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    assert_int_equal(od_values_apply(&values, config, &error), ORDERLY_OK);
    assert_int_equal(orderly_config_check(config, &error), ORDERLY_OK);
    orderly_config_free(config);
    od_values_fini(&values);
}

static void an_error_shows_its_place(void **state)
{
    (void)state;
    assert_string_equal(refusal("retry:\n  atempts: 3\n"),
                        FILE_NAME ":2:3: unknown setting \"retry.atempts\"; did you mean retry.attempts?\n"
                                  "      atempts: 3\n"
                                  "      ^");
    assert_string_equal(refusal("order:  kye # or so\n"),
                        FILE_NAME ":1:9: order: \"kye\" is not partition, key or none; did you mean key?\n"
                                  "    order:  kye # or so\n"
                                  "            ^");
    assert_string_equal(refusal("retyr:\n  attempts: 3\n"),
                        FILE_NAME ":1:1: unknown setting \"retyr\"; did you mean retry.attempts?\n"
                                  "    retyr:\n"
                                  "    ^");
    assert_string_equal(refusal("order: key\nhandler: {exec: {command: [a]}}\norder: none\n"),
                        FILE_NAME ":3:1: \"order\" stands twice in this mapping\n"
                                  "    order: none\n"
                                  "    ^");
    assert_string_equal(refusal("retry: {attempts: 1}\nretry.attempts: 3\n"),
                        FILE_NAME ":2:1: retry.attempts is set twice; the first time at " FILE_NAME ":1:19\n"
                                  "    retry.attempts: 3\n"
                                  "    ^");
}

static void a_long_line_is_shown_around_its_place(void **state)
{
    (void)state;
    char yaml[400];
    (void)snprintf(yaml, sizeof yaml, "handler: {exec: {command: [%0200d], timeout: soon}}\n", 0);
    const char *text = refusal(yaml), *line = strchr(text, '\n') + 1;
    const char *caret = strchr(line, '\n') + 1;
    assert_true(strcspn(line, "\n") < 80);
    assert_memory_equal(line + strcspn(caret, "^"), "soon", 4);
}

static void a_value_of_the_wrong_shape_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"order: [key]\n", ":1:1: order takes a single value, not a list"},
        {"order: {a: b}\n", ":1:1: order takes a single value, not a mapping"},
        {"topics: {a: b}\n", ":1:1: topics takes a list, not a mapping"},
        {"topics: [[a]]\n", "a single value is wanted here"},
        {"topics: [a, ]\nretry: 5\n", ":2:8: retry takes a mapping of settings"},
        {"kafka: x\n", ":1:8: kafka takes a mapping of settings"},
        {"order:\n", ":1:1: order has no value"},
        {"retry:\n", ":1:1: retry has no value"},
        {"order: ~\n", "order has no value"},
        {"topics: [~]\n", "a value is missing here"},
        {"- a\n", "must be a mapping of settings"},
        {"[a]: b\n", "the name of a setting is wanted here"},
        {"order: &a key\nstart: *a\n", ":2:9: anchors and aliases are not supported"},
        {"order: key\n---\nstart: error\n", ":3:1: a second document begins here"},
        {"kafka: {auto.offset.reset: earliest}\n", ":1:28: kafka.auto.offset.reset=earliest is refused"},
        {"delivery: transactional\n", "is reserved"},
        {"order: \"a\\0b\"\n", "NUL"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *text = refusal(bad[i][0]);
        if (!strstr(text, bad[i][1]))
            fail_msg("%s\n%s", bad[i][0], text);
    }
}

static void what_is_no_yaml_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal("order: key\n x: y\n"), FILE_NAME ":"));
    assert_non_null(strstr(refusal("topics: [a\n"), FILE_NAME ":2:1: "));
    assert_non_null(strstr(refusal("\torder: key\n"), FILE_NAME ":1:"));
    assert_non_null(strstr(refusal("order: \"key\n"), FILE_NAME ":"));
    struct od_values values;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    write_file(FILE_NAME, "order: key\0", 11);
    assert_int_equal(od_config_load(FILE_NAME, NULL, &values, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "NUL"));
    assert_int_equal(od_config_load("missing.yaml", NULL, &values, &error), ORDERLY_CONFIG);
    assert_string_equal(error.text, "missing.yaml: No such file or directory");
    assert_int_equal(od_config_load(folder, NULL, &values, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "directory"));
}

static void references_are_resolved_after_parsing(void **state)
{
    (void)state;
    char *const environment[] = {(char[]){"GROUP=a: [b"}, (char[]){"EMPTY="}, (char[]){"GROUPS=no"}, NULL};
    char yaml[400];
    (void)snprintf(yaml, sizeof yaml,
                   "kafka:\n"
                   "  group.id: '${env:GROUP}'\n"
                   "  client.id: ${env:NOBODY:-x-${env:GROUP}}\n"
                   "  sasl.password: ${file:%s}\n"
                   "  sasl.username: pre-${env:EMPTY:-u}-$${kept}-$5\n"
                   "topics: ['${env:NOBODY:-a,b}']\n",
                   secret_path);
    struct od_values values = loaded(yaml, environment);
    assert_string_equal(value(&values, "kafka.group.id"), "a: [b");
    assert_string_equal(value(&values, "kafka.client.id"), "x-${env:GROUP}");
    assert_string_equal(value(&values, "kafka.sasl.password"), "pss: [x");
    assert_string_equal(value(&values, "kafka.sasl.username"), "pre-u-${kept}-$5");
    assert_string_equal(value(&values, "topics"), "[\"a,b\"]");
    od_values_fini(&values);
    assert_non_null(strstr(refusal("order: ${env:NOBODY}\n"), ":1:8: the environment variable NOBODY is not set"));
    assert_non_null(strstr(refusal("order: ${env:9 9}\n"), "no name of a variable"));
    assert_non_null(strstr(refusal("order: ${file:secret}\n"), "must begin with /"));
    assert_non_null(strstr(refusal("order: ${file:/nowhere/x}\n"), "No such file"));
    assert_non_null(strstr(refusal("order: ${exec:rm}\n"), "is neither"));
    assert_non_null(strstr(refusal("order: ${env:X\n"), "without its }"));
    assert_non_null(strstr(refusal("${env:X}: key\n"), "unknown setting"));
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    char *const environment[] = {(char[]){"ORDERLY_RETRY_ATTEMPTS=3"},
                                 (char[]){"ORDERLY_ORDER="},
                                 (char[]){"ORDERLY_KAFKA_GROUP_ID=g"},
                                 (char[]){"ORDERLY_BLOCK_REBALANCE_ON_POLL=true"},
                                 (char[]){"ORDERLY_CACHE=/x"},
                                 (char[]){"ORDERLY_RETRY_ATEMPTS=4"},
                                 (char[]){"HOME=/"},
                                 NULL};
    struct od_values values = loaded("retry: {attempts: 8}\norder: none\n", environment);
    assert_string_equal(value(&values, "retry.attempts"), "3");
    assert_string_equal(origin(&values, "retry.attempts"), "environment ORDERLY_RETRY_ATTEMPTS");
    assert_string_equal(value(&values, "order"), "none");
    assert_string_equal(value(&values, "kafka.group.id"), "g");
    assert_string_equal(value(&values, "block_rebalance_on_poll"), "true");
    assert_int_equal(values.note_count, 1);
    assert_string_equal(values.notes[0],
                        "environment ORDERLY_RETRY_ATEMPTS: unknown setting \"retry.atempts\"; did you mean "
                        "retry.attempts?");
    assert_int_equal(od_values_set(&values, "retry.attempts", "5", "option --set", NULL), ORDERLY_OK);
    assert_string_equal(value(&values, "retry.attempts"), "5");
    assert_string_equal(origin(&values, "retry.attempts"), "option --set");
    assert_int_equal(od_values_set(&values, "retry.attempts", "x", "option --set", NULL), ORDERLY_CONFIG);
    assert_string_equal(value(&values, "retry.attempts"), "5");
    od_values_fini(&values);
    char *const bad[] = {(char[]){"ORDERLY_CLOSE_TIMEOUT=10"}, NULL};
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(od_config_load(NULL, bad, &values, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "environment ORDERLY_CLOSE_TIMEOUT: close_timeout: \"10\""));
}

static void inside_a_handler_its_own_variables_are_no_mistakes(void **state)
{
    (void)state;
    struct od_values values;
    char *const environment[] = {(char[]){"ORDERLY_TOPIC=orders"}, (char[]){"ORDERLY_IDEMPOTENCY_KEY=x"}, NULL};
    assert_int_equal(od_config_load(NULL, environment, &values, NULL), ORDERLY_OK);
    assert_int_equal(values.count, 0);
    assert_int_equal(values.note_count, 0);
    od_values_fini(&values);
}

static void sources_keep_their_own_values(void **state)
{
    (void)state;
    struct od_values values = loaded("order: partition\n"
                                     "sources:\n"
                                     "  - topics: a, b\n"
                                     "    handler: {exec: {command: [x]}}\n"
                                     "  - {topics: [c], patterns: ['^d'], order: none}\n",
                                     NULL);
    assert_int_equal(values.source_count, 2);
    assert_string_equal(value(&values, "order"), "partition");
    assert_string_equal(value(&values, "topics"), "[\"a\",\"b\",\"c\",\"^d\"]");
    assert_string_equal(value(&values.sources[0], "topics"), "a, b");
    assert_string_equal(value(&values.sources[0], "order"), "(not set)");
    assert_string_equal(value(&values.sources[1], "order"), "none");
    od_values_fini(&values);
    assert_non_null(
        strstr(refusal("sources:\n  - {topics: a, start: latest}\n"), ":2:17: start cannot differ between sources"));
    assert_non_null(strstr(refusal("sources:\n  - {order: key}\n"), "has no topics"));
    assert_non_null(strstr(refusal("sources: []\n"), "takes a list of mappings"));
    assert_non_null(strstr(refusal("sources: [a]\n"), ":1:11: a source is a mapping"));
    assert_non_null(strstr(refusal("topics: a\nsources: [{topics: b}]\n"), "beside sources"));
    assert_non_null(strstr(refusal("sources: [{topics: b}, {topics: b}]\n"), "belongs to another source"));
    assert_non_null(strstr(refusal("sources: [{topics: b, sources: [{topics: c}]}]\n"), "unknown"));
}

struct shown {
    char text[65536];
};

static void show(const char *name, const char *value_text, const char *from, void *userdata)
{
    struct shown *shown = userdata;
    size_t used = strlen(shown->text);
    (void)snprintf(shown->text + used, sizeof shown->text - used, "%s=%s (%s)\n", name, value_text, from);
}

static void effective_values_have_origins_and_no_secrets(void **state)
{
    (void)state;
    struct shown *shown = calloc(1, sizeof *shown);
    assert_non_null(shown);
    struct od_values values = loaded("kafka: {sasl.password: geheim, ssl.key.password: geheim, group.id: g}\n"
                                     "handler:\n"
                                     "  exec: {env: {TOKEN: geheim}}\n"
                                     "  http: {url: 'https://u:geheim@h:1/p?key=geheim'}\n",
                                     NULL);
    od_values_effective(&values, show, shown);
    assert_null(strstr(shown->text, "geheim"));
    assert_non_null(strstr(shown->text, "kafka.sasl.password=*** (" FILE_NAME ":1:24)\n"));
    assert_non_null(strstr(shown->text, "kafka.group.id=g (" FILE_NAME));
    assert_non_null(strstr(shown->text, "handler.http.url=https://***@h:1/p?*** ("));
    assert_non_null(strstr(shown->text, "retry.attempts=8 (default)\n"));
    od_values_fini(&values);
    free(shown);
}

/* The good file with some bytes changed, cut or doubled: an error or not, never a crash. */
static void survives_damaged_files(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    unsigned good = 0, bad = 0;
    for (unsigned i = 0; i < 3000; i++) {
        char data[sizeof whole];
        size_t size = sizeof whole - 1;
        memcpy(data, whole, size);
        for (unsigned changes = 0; changes < 1; changes++) {
            static const char bytes[] = " \n\t:-[]{}'\"#&*!|>%@`,?~x0\xc3\xff";
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % size;
            seed = seed * 1664525 + 1013904223;
            data[at] = bytes[(seed >> 8) % (sizeof bytes - 1)];
        }
        if (seed % 5 == 0)
            size = (seed >> 8) % size;
        struct od_values values;
        struct orderly_error error = ORDERLY_ERROR_INIT;
        write_file(FILE_NAME, data, size);
        if (od_config_load(FILE_NAME, NULL, &values, &error)) {
            bad++;
            assert_memory_equal(error.text, FILE_NAME ":", strlen(FILE_NAME ":"));
        } else {
            good++;
            od_values_fini(&values);
        }
    }
    assert_true(good > 100);
    assert_true(bad > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_of_the_tree_are_names_of_settings),
        cmocka_unit_test(an_error_shows_its_place),
        cmocka_unit_test(a_long_line_is_shown_around_its_place),
        cmocka_unit_test(a_value_of_the_wrong_shape_is_refused),
        cmocka_unit_test(what_is_no_yaml_is_refused_with_its_place),
        cmocka_unit_test(references_are_resolved_after_parsing),
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(inside_a_handler_its_own_variables_are_no_mistakes),
        cmocka_unit_test(sources_keep_their_own_values),
        cmocka_unit_test(effective_values_have_origins_and_no_secrets),
        cmocka_unit_test(survives_damaged_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
