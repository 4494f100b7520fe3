/*
 * A proxy before a broker that makes the group's limit shorter than the member believes: in JoinGroup and ConsumerGroupHeartbeat it writes another
 * rebalance timeout. The broker must be advertised at the proxy's address.
 *   shorten --port P --target P --from MS --to MS        prints "ready" when it listens; ends by a signal
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/options.h"

enum { API_JOIN_GROUP = 11, API_CONSUMER_GROUP_HEARTBEAT = 68, FRAME_MAX = 64 << 20 };

static int64_t port, target, from_ms, to_ms;

/* A client and the broker: each direction is a thread, the last one closes both. */
struct pair {
    int client, broker;
    atomic_int users;
};

struct link {
    struct pair *pair;
    int from, to;
    bool requests;
};

static bool all(int fd, unsigned char *data, size_t size, bool reading)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = reading ? read(fd, data + done, size - done) : write(fd, data + done, size - done);

        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static void put_number(unsigned char *to, int64_t value)
{
    uint32_t number = htonl((uint32_t)value);

    memcpy(to, &number, 4);
}

/* The first place that has the timeout, as a number of four bytes; it is chosen so that nothing else looks like it. */
static void shorten(unsigned char *frame, size_t size)
{
    unsigned char wanted[4];
    int api = size < 2 ? -1 : frame[0] * 256 + frame[1];

    put_number(wanted, from_ms);
    for (size_t i = 0; (api == API_JOIN_GROUP || api == API_CONSUMER_GROUP_HEARTBEAT) && i + 4 <= size; i++) {
        if (memcmp(frame + i, wanted, 4) == 0) {
            put_number(frame + i, to_ms);
            return;
        }
    }
}

static void *pass(void *argument)
{
    struct link *link = argument;
    unsigned char head[4], *frame = NULL;
    uint32_t size;

    while (all(link->from, head, 4, true)) {
        memcpy(&size, head, 4);
        size = ntohl(size);
        frame = size > FRAME_MAX ? NULL : malloc(size + 1);
        if (frame == NULL || !all(link->from, frame, size, true)) {
            break;
        }
        if (link->requests) {
            shorten(frame, size);
        }
        if (!all(link->to, head, 4, false) || !all(link->to, frame, size, false)) {
            break;
        }
        free(frame);
        frame = NULL;
    }
    free(frame);
    shutdown(link->from, SHUT_RDWR);
    shutdown(link->to, SHUT_RDWR);
    if (atomic_fetch_sub(&link->pair->users, 1) == 1) {
        close(link->from);
        close(link->to);
        free(link->pair);
    }
    free(link);
    return NULL;
}

static struct sockaddr_in at(int64_t number)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void start(struct pair *pair, bool requests)
{
    struct link *link = malloc(sizeof *link);
    pthread_t thread;

    if (link == NULL) {
        abort();
    }
    *link = requests ? (struct link){pair, pair->client, pair->broker, true}
                     : (struct link){pair, pair->broker, pair->client, false};
    if (pthread_create(&thread, NULL, pass, link) != 0) {
        abort();
    }
    pthread_detach(thread);
}

int main(int argc, char **argv)
{
    const struct test_option rows[] = {{.name = "port", .number = &port},
                                       {.name = "target", .number = &target},
                                       {.name = "from", .number = &from_ms},
                                       {.name = "to", .number = &to_ms},
                                       {.name = NULL}};
    struct sockaddr_in here, there;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    test_options(argc, argv, rows);
    here = at(port);
    there = at(target);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 64) != 0) {
        perror("shorten");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pair *pair = malloc(sizeof *pair);

        if (pair == NULL) {
            abort();
        }
        pair->client = accept(listener, NULL, NULL);
        pair->broker = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        atomic_init(&pair->users, 2);
        if (pair->client < 0 || connect(pair->broker, (struct sockaddr *)&there, sizeof there) != 0) {
            perror("shorten");
            return 1;
        }
        start(pair, true);
        start(pair, false);
    }
}
