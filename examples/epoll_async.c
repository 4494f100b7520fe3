/*
 * (d) Asynchronous work on an epoll loop: orderly_poll_fd() wakes the loop, each record starts something (here: a timer) and is settled when
 * that ends, in any order. No thread of our own.
 *
 *   epoll_async BROKERS GROUP TOPIC [COUNT]
 */
#include <orderly/orderly.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IN_FLIGHT_MAX 256

struct operation {
    struct orderly_record *record;
    int timer;
};

static size_t in_flight, done;

static void start(int loop, struct orderly_record *record)
{
    struct operation *operation = calloc(1, sizeof *operation);
    struct itimerspec in = {.it_value.tv_nsec = 1000000 * (1 + orderly_record_offset(record) % 20)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = operation};

    operation->record = orderly_record_ref(record);
    operation->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(operation->timer, 0, &in, NULL);
    epoll_ctl(loop, EPOLL_CTL_ADD, operation->timer, &event);
    in_flight++;
}

static void finish(struct operation *operation)
{
    enum orderly_err result = orderly_mark(operation->record);

    if (result == ORDERLY_OK) {
        done++;
    } else {
        fprintf(stderr, "%s\n", orderly_strerror(result)); /* STALE: the partition went meanwhile */
    }
    close(operation->timer);
    orderly_record_unref(operation->record);
    free(operation);
    in_flight--;
}

static enum orderly_err take(struct orderly *member, int loop, size_t room)
{
    struct orderly_batch *batch = NULL;
    enum orderly_err result = orderly_poll(member, room, 0, &batch);

    if (result != ORDERLY_OK) {
        return result == ORDERLY_TIMEOUT ? ORDERLY_OK : result;
    }
    for (size_t i = 0; i < orderly_batch_count(batch); i++) {
        start(loop, orderly_batch_record(batch, i));
    }
    orderly_batch_free(batch);
    return ORDERLY_OK;
}

/* How many may be started now; while that is none the poll fd must not wake the loop. */
static size_t room_for_more(struct orderly *member, int loop, size_t wanted)
{
    size_t begun = done + in_flight, room = IN_FLIGHT_MAX - in_flight;
    struct epoll_event event = {.data.ptr = NULL};

    room = wanted - begun < room ? wanted - begun : room;
    event.events = room > 0 ? EPOLLIN : 0;
    epoll_ctl(loop, EPOLL_CTL_MOD, orderly_poll_fd(member), &event);
    return room;
}

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(78);
    }
}

int main(int argc, char **argv)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly *member = NULL;
    enum orderly_err result = ORDERLY_OK;
    size_t wanted;
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (argc < 4 || orderly_config_new(&config) != ORDERLY_OK) {
        fprintf(stderr, "usage: %s BROKERS GROUP TOPIC [COUNT]\n", argv[0]);
        return 2;
    }
    wanted = argc > 4 ? (size_t)atoll(argv[4]) : SIZE_MAX;
    set(config, "kafka.bootstrap.servers", argv[1]);
    set(config, "kafka.group.id", argv[2]);
    set(config, "topics", argv[3]);
    set(config, "start", "earliest");
    if (orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 78;
    }
    orderly_config_free(config);
    epoll_ctl(loop, EPOLL_CTL_ADD, orderly_poll_fd(member), &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    while ((result == ORDERLY_OK && done < wanted) || in_flight > 0) { /* what was started ends before we leave */
        struct epoll_event events[64];
        int count = epoll_wait(loop, events, 64, -1); /* readable at once: the first poll joins the group */
        bool records = false;

        for (int i = 0; i < count; i++) {
            records = records || events[i].data.ptr == NULL;
            if (events[i].data.ptr != NULL) {
                finish(events[i].data.ptr);
            }
        }
        size_t room = room_for_more(member, loop, wanted);
        if (records && room > 0 && result == ORDERLY_OK) {
            result = take(member, loop, room);
        }
    }
    if (result != ORDERLY_OK) {
        fprintf(stderr, "%s\n", orderly_strerror(result));
    }
    result = orderly_drain(member, -1);
    printf("%zu settled\n", done);
    orderly_free(member);
    close(loop);
    return result == ORDERLY_OK ? 0 : 1;
}
