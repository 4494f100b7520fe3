/* A TCP relay on loopback: one thread, poll(), a buffer for each direction of a connection. */
#include "kafka/broker_relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

#define PAIRS_MAX 256
#define BUFFER_BYTES 65536

/* One direction: what was read from one end and not yet written to the other. */
struct flow {
    size_t first, count;
    char data[BUFFER_BYTES];
};

/* A connection: ends[0] is the client, ends[1] the broker; flows[i] holds what ends[i] sent. */
struct pair {
    int ends[2];
    struct flow flows[2];
};

struct od_relay {
    int listener, wake;
    uint16_t target;
    pthread_t thread;
    struct pair *pairs[PAIRS_MAX];
    size_t count;
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address)) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    return fd;
}

static void accept_pair(struct od_relay *relay)
{
    int on = 1, client = accept4(relay->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    struct pair *pair = relay->count < PAIRS_MAX ? calloc(1, sizeof *pair) : NULL;
    int broker = pair ? connect_to(relay->target) : -1;
    if (broker < 0) {
        free(pair);
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pair->ends[0] = client;
    pair->ends[1] = broker;
    relay->pairs[relay->count++] = pair;
}

static void close_pair(struct od_relay *relay, size_t i)
{
    close(relay->pairs[i]->ends[0]);
    close(relay->pairs[i]->ends[1]);
    free(relay->pairs[i]);
    relay->pairs[i] = relay->pairs[--relay->count];
}

/* False: the connection is over. */
static bool move(struct pair *pair, int end, short events)
{
    struct flow *in = &pair->flows[end], *out = &pair->flows[!end];
    if (events & (POLLERR | POLLNVAL)) {
        return false;
    }
    if ((events & (POLLIN | POLLHUP)) && in->count == 0) {
        ssize_t got = recv(pair->ends[end], in->data, BUFFER_BYTES, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return false;
        }
        in->first = 0;
        in->count = got > 0 ? (size_t)got : 0;
    }
    if ((events & POLLOUT) && out->count > 0) {
        ssize_t put = send(pair->ends[end], out->data + out->first, out->count, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        out->first += put > 0 ? (size_t)put : 0;
        out->count -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

static size_t prepare(const struct od_relay *relay, struct pollfd *fds)
{
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = relay->wake, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = relay->listener, .events = POLLIN};
    for (size_t i = 0; i < relay->count; i++) {
        const struct pair *pair = relay->pairs[i];
        for (int end = 0; end < 2; end++) {
            short events = (short)((pair->flows[end].count ? 0 : POLLIN) | (pair->flows[!end].count ? POLLOUT : 0));
            fds[count++] = (struct pollfd){.fd = pair->ends[end], .events = events};
        }
    }
    return count;
}

static void *serve(void *userdata)
{
    struct od_relay *relay = userdata;
    struct pollfd fds[2 + 2 * PAIRS_MAX];
    for (;;) {
        size_t count = prepare(relay, fds), pairs = relay->count;
        if (poll(fds, count, -1) < 0 && errno != EINTR) {
            break;
        }
        if (fds[0].revents) {
            break;
        }
        /* From the last one down: a closed one takes the last one's place. */
        for (size_t i = pairs; i > 0; i--) {
            struct pair *pair = relay->pairs[i - 1];
            short first = fds[2 * i].revents, second = fds[2 * i + 1].revents;
            if (!move(pair, 0, first) || !move(pair, 1, second)) {
                close_pair(relay, i - 1);
            }
        }
        if (fds[1].revents) {
            accept_pair(relay);
        }
    }
    return NULL;
}

void od_relay_stop(struct od_relay *relay)
{
    if (!relay) {
        return;
    }
    uint64_t one = 1;
    if (write(relay->wake, &one, sizeof one) == (ssize_t)sizeof one) {
        pthread_join(relay->thread, NULL);
    }
    while (relay->count) {
        close_pair(relay, relay->count - 1);
    }
    close(relay->listener);
    close(relay->wake);
    free(relay);
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64)) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

enum orderly_err od_relay_start(uint16_t port, uint16_t target, struct od_relay **ret, struct orderly_error *error)
{
    struct od_relay *relay = calloc(1, sizeof *relay);
    if (!relay) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    relay->target = target;
    relay->wake = eventfd(0, EFD_CLOEXEC);
    relay->listener = listen_on(port);
    if (relay->listener < 0 || relay->wake < 0 || pthread_create(&relay->thread, NULL, serve, relay)) {
        enum orderly_err err =
            od_fail(error, ORDERLY_KAFKA, "port %u cannot be listened on: %s", port, strerror(errno));
        close(relay->listener);
        close(relay->wake);
        free(relay);
        return err;
    }
    *ret = relay;
    return ORDERLY_OK;
}
