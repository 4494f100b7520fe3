#include "base/property.h"

#include "base/cm.h"

static void what_would_break_a_promise_is_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"enable.auto.commit", "true"},
                                         {"auto.commit.interval.ms", "5"},
                                         {"enable.auto.offset.store", "true"},
                                         {"offset.store.method", "broker"},
                                         {"auto.offset.reset", "earliest"},
                                         {"enable.idempotence", "false"},
                                         {"enable.idempotence", "0"},
                                         {"acks", "1"},
                                         {"acks", "0"},
                                         {"request.required.acks", "1"},
                                         {"plugin.library.paths", "/x.so"},
                                         {"ssl.engine.location", "/x.so"},
                                         {"ssl.engine.id", "x"},
                                         {"ssl.providers", "legacy"},
                                         {"sasl.kerberos.kinit.cmd", "kinit"},
                                         {"test.mock.num.brokers", "3"},
                                         {"rebalance_cb", "0x1"},
                                         {"oauthbearer_token_refresh_cb", "x"},
                                         {"opaque", "x"},
                                         {"interceptors", "x"},
                                         {"default_topic_conf", "x"},
                                         {"transactional.id", "x"},
                                         {"delivery.report.only.error", "true"},
                                         {"metadata.broker.list", "x"}};
    static const char *const good[][2] = {{"enable.auto.commit", "false"},
                                          {"enable.idempotence", "true"},
                                          {"enable.idempotence", "True"},
                                          {"enable.idempotence", "t"},
                                          {"acks", "all"},
                                          {"acks", "-1"},
                                          {"client.id", "x"},
                                          {"group.instance.id", "a"},
                                          {"max.poll.interval.ms", "1"},
                                          {"ssl.ca.location", "/x"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(od_property_refused(bad[i][0], bad[i][1]));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(od_property_refused(good[i][0], good[i][1]));
}

static void verification_is_not_switched_off_by_accident(void **state)
{
    (void)state;
    assert_non_null(od_property_insecure("enable.ssl.certificate.verification", "false"));
    assert_null(od_property_insecure("enable.ssl.certificate.verification", "true"));
    assert_non_null(od_property_insecure("ssl.endpoint.identification.algorithm", "none"));
    assert_null(od_property_insecure("ssl.endpoint.identification.algorithm", "https"));
    assert_non_null(od_property_insecure("enable.sasl.oauthbearer.unsecure.jwt", "true"));
    assert_null(od_property_insecure("client.id", "none"));
}

static void secrets_are_known(void **state)
{
    (void)state;
    assert_true(od_property_secret("sasl.password"));
    assert_true(od_property_secret("ssl.key.password"));
    assert_true(od_property_secret("ssl.keystore.password"));
    assert_true(od_property_secret("ssl.key.pem"));
    assert_true(od_property_secret("sasl.oauthbearer.client.secret"));
    assert_false(od_property_secret("sasl.username"));
    assert_false(od_property_secret("bootstrap.servers"));
}

static void knows_brokers_of_this_machine(void **state)
{
    (void)state;
    static const char *const here[] = {
        "",          "localhost",  "localhost:9092",          "LOCALHOST:9092",          "127.0.0.1:9092",
        "127.1.2.3", "[::1]:9092", "localhost:1,127.0.0.1:2", "PLAINTEXT://localhost:1", "localhost:1, localhost:2,"};
    static const char *const there[] = {
        "kafka:9092",         "localhost:1,kafka:2",    "127.0.0.1.evil.example", "127.0.0.x", "10.0.0.1:9092",
        "[2001:db8::1]:9092", "SASL_PLAINTEXT://kafka", "localhost.evil:1",       "[::1",      "127."};
    for (size_t i = 0; i < sizeof here / sizeof *here; i++)
        assert_true(od_brokers_loopback(here[i]));
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        assert_false(od_brokers_loopback(there[i]));
}

static void aliases_are_one_property(void **state)
{
    (void)state;
    assert_true(od_property_same("acks", "request.required.acks"));
    assert_true(od_property_same("queue.buffering.max.ms", "linger.ms"));
    assert_true(od_property_same("x", "x"));
    assert_false(od_property_same("linger.ms", "acks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_would_break_a_promise_is_refused),
        cmocka_unit_test(verification_is_not_switched_off_by_accident),
        cmocka_unit_test(secrets_are_known),
        cmocka_unit_test(knows_brokers_of_this_machine),
        cmocka_unit_test(aliases_are_one_property),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
