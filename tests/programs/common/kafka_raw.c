/* Hand-written Kafka requests. */
#include "common/kafka_raw.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
    unsigned char bytes[2048];
    size_t used;
};

enum {
    API_JOIN_GROUP = 11,
    API_LEAVE_GROUP = 13,
    API_DESCRIBE_GROUPS = 15,
    API_CONSUMER_GROUP_HEARTBEAT = 68,
    API_CONSUMER_GROUP_DESCRIBE = 69
};

static void put(struct request *r, const void *data, size_t size)
{
    if (r->used + size > sizeof r->bytes) {
        abort();
    }
    memcpy(r->bytes + r->used, data, size);
    r->used += size;
}

static void put_number(struct request *r, int64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)((uint64_t)value >> (8 * i));

        put(r, &byte, 1);
    }
}

static void put_text(struct request *r, const char *text)
{
    put_number(r, (int64_t)strlen(text), 2);
    put(r, text, strlen(text));
}

/* Of the flexible versions: length + 1 as a varint; shorter than 127 here. */
static void put_compact(struct request *r, const char *text)
{
    put_number(r, text == NULL ? 0 : (int64_t)strlen(text) + 1, 1);
    if (text != NULL) {
        put(r, text, strlen(text));
    }
}

static void begin(struct request *r, int api, int version, bool flexible)
{
    r->used = 0;
    put_number(r, 0, 4); /* the size, filled in by send */
    put_number(r, api, 2);
    put_number(r, version, 2);
    put_number(r, 1, 4);
    put_text(r, "test");
    if (flexible) {
        put_number(r, 0, 1);
    }
}

static int dial(const char *broker)
{
    char host[256];
    const char *colon = strrchr(broker, ':');
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1;

    if (colon == NULL || (size_t)(colon - broker) >= sizeof host) {
        return -1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - broker), broker);
    if (getaddrinfo(host, colon + 1, &hints, &found) == 0) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
        freeaddrinfo(found);
    }
    return fd;
}

static bool read_all(int fd, unsigned char *to, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = read(fd, to + got, size - got);

        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return true;
}

/* Sends it; the size of the answer, 0 when there is none. */
static size_t exchange(const char *broker, struct request *r, unsigned char *answer, size_t room)
{
    uint32_t size = htonl((uint32_t)(r->used - 4));
    int fd = dial(broker);
    size_t got = 0;

    memcpy(r->bytes, &size, 4);
    if (fd >= 0 && write(fd, r->bytes, r->used) == (ssize_t)r->used && read_all(fd, answer, 4)) {
        memcpy(&size, answer, 4);
        size = ntohl(size);
        got = size <= room && read_all(fd, answer, size) ? size : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return got;
}

/* Sends it and looks at the error code that stands `at` bytes into the answer's body. */
static bool ask(const char *broker, struct request *r, size_t at)
{
    unsigned char answer[4096];
    size_t size = exchange(broker, r, answer, sizeof answer);
    int code = size >= at + 6 ? answer[4 + at] * 256 + answer[5 + at] : -1;

    if (code > 0) {
        fprintf(stderr, "the broker says %d\n", code);
    }
    return code == 0;
}

static bool leave_group(const char *broker, const char *group, const char *member_id)
{
    struct request r;

    begin(&r, API_LEAVE_GROUP, 3, false);
    put_text(&r, group);
    put_number(&r, 1, 4);
    put_text(&r, member_id);
    put_number(&r, -1, 2);
    return ask(broker, &r, 4); /* throttle time, then the code */
}

static bool heartbeat_that_leaves(const char *broker, const char *group, const char *member_id)
{
    struct request r;

    begin(&r, API_CONSUMER_GROUP_HEARTBEAT, 0, true);
    put_compact(&r, group);
    put_compact(&r, member_id);
    put_number(&r, -1, 4); /* the epoch that leaves */
    put_compact(&r, NULL); /* instance */
    put_compact(&r, NULL); /* rack */
    put_number(&r, -1, 4); /* rebalance timeout */
    put_number(&r, 0, 1);  /* topics */
    put_compact(&r, NULL); /* assignor */
    put_number(&r, 0, 1);  /* partitions */
    put_number(&r, 0, 1);
    return ask(broker, &r, 5); /* tagged fields of the header, throttle time, then the code */
}

bool test_evict(const char *broker, const char *group, const char *member_id, bool kip848)
{
    return kip848 ? heartbeat_that_leaves(broker, group, member_id) : leave_group(broker, group, member_id);
}

bool test_is_member(const char *broker, const char *group, const char *member_id, bool kip848)
{
    static unsigned char answer[1 << 20];
    struct request r;

    begin(&r, kip848 ? API_CONSUMER_GROUP_DESCRIBE : API_DESCRIBE_GROUPS, 0, kip848);
    if (kip848) {
        put_number(&r, 2, 1); /* one group */
        put_compact(&r, group);
        put_number(&r, 0, 1); /* no operations */
        put_number(&r, 0, 1);
    } else {
        put_number(&r, 1, 4);
        put_text(&r, group);
    }
    size_t size = exchange(broker, &r, answer, sizeof answer);
    if (size == 0) {
        fprintf(stderr, "the broker does not describe the group\n");
        exit(2);
    }
    return memmem(answer, size, member_id, strlen(member_id)) != NULL;
}

bool test_join_as(const char *broker, const char *group, const char *protocol_type)
{
    struct request r;

    begin(&r, API_JOIN_GROUP, 3, false);
    put_text(&r, group);
    put_number(&r, 30000, 4);
    put_number(&r, 30000, 4);
    put_text(&r, "");
    put_text(&r, protocol_type);
    put_number(&r, 1, 4);
    put_text(&r, "default");
    put_number(&r, 0, 4);
    return ask(broker, &r, 4);
}
