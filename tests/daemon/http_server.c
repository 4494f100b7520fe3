/* A tiny HTTP server for tests: see http_server.h. One thread, one connection after the other, each closed after its answer. */
#include "daemon/http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_MAX = 1 << 20, HANGING = 64, PATIENCE_S = 30 };

struct http_server {
    int fd, stop_fd;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t came;
    size_t count, body_size;
    char *last;
    int hanging[HANGING];
    size_t hanging_count;
};

static void send_text(int fd, const char *text)
{
    (void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* "/status/429/Retry-After/7": the code, then names and values of headers. */
static void answer_status(int fd, char *path)
{
    char *save = NULL, *name, head[2048];
    const char *code = strtok_r(path + strlen("/status/"), "/", &save);
    int used = snprintf(head, sizeof head, "HTTP/1.1 %s Reason\r\nConnection: close\r\nContent-Length: %zu\r\n", code,
                        strlen("answer ") + strlen(code));

    while ((name = strtok_r(NULL, "/", &save)) != NULL) {
        const char *value = strtok_r(NULL, "/", &save);

        used += snprintf(head + used, sizeof head - (size_t)used, "%s: %s\r\n", name, value != NULL ? value : "");
    }
    snprintf(head + used, sizeof head - (size_t)used, "\r\nanswer %s", code);
    send_text(fd, head);
    close(fd);
}

static void answer_large(int fd)
{
    static const char block[65536];

    send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    while (send(fd, block, sizeof block, MSG_NOSIGNAL) > 0) {
    }
    close(fd);
}

static void answer(struct http_server *server, int fd, const char *request)
{
    char path[512] = "";

    sscanf(request, "POST %511s", path);
    if (strncmp(path, "/status/", 8) == 0) {
        answer_status(fd, path);
    } else if (strcmp(path, "/large") == 0) {
        answer_large(fd);
    } else if (strcmp(path, "/hang") == 0 && server->hanging_count < HANGING) {
        server->hanging[server->hanging_count++] = fd;
    } else {
        close(fd); /* /reset */
    }
}

/* The whole request, by its Content-Length. */
static void serve(struct http_server *server, int fd)
{
    char *data = malloc(REQUEST_MAX + 1);
    size_t size = 0, body = 0, length = 0;
    const char *end = NULL;

    while (data != NULL && size < REQUEST_MAX && (end == NULL || size < body + length)) {
        ssize_t more = read(fd, data + size, REQUEST_MAX - size);

        if (more <= 0) {
            break;
        }
        size += (size_t)more;
        data[size] = '\0';
        if (end == NULL && (end = strstr(data, "\r\n\r\n")) != NULL) {
            const char *header = strcasestr(data, "\r\nContent-Length:");

            body = (size_t)(end - data) + 4;
            length = header != NULL ? strtoul(header + 17, NULL, 10) : 0;
        }
    }
    pthread_mutex_lock(&server->mutex);
    free(server->last);
    server->last = data;
    server->body_size = size - body;
    server->count++;
    pthread_cond_broadcast(&server->came);
    pthread_mutex_unlock(&server->mutex);
    answer(server, fd, data);
}

static void *server_thread(void *argument)
{
    struct http_server *server = argument;
    struct pollfd fds[2] = {{.fd = server->fd, .events = POLLIN}, {.fd = server->stop_fd, .events = POLLIN}};

    for (;;) {
        int fd;

        if (poll(fds, 2, -1) > 0 && fds[1].revents != 0) {
            return NULL;
        }
        fd = accept(server->fd, NULL, NULL);
        if (fd >= 0) {
            serve(server, fd);
        }
    }
}

static void listen_inet(struct http_server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;

    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)(void *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
}

static void listen_unix(struct http_server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)(void *)&address, sizeof address), 0);
}

struct http_server *http_server_new(const char *path)
{
    struct http_server *server = calloc(1, sizeof *server);

    assert_non_null(server);
    if (path != NULL) {
        listen_unix(server, path);
    } else {
        listen_inet(server);
    }
    assert_int_equal(listen(server->fd, 16), 0);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->came, NULL);
    assert_int_equal(pthread_create(&server->thread, NULL, server_thread, server), 0);
    return server;
}

unsigned http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_wait(struct http_server *server, size_t count)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&server->mutex);
    while (server->count < count && error == 0) {
        error = pthread_cond_timedwait(&server->came, &server->mutex, &until);
    }
    pthread_mutex_unlock(&server->mutex);
    assert_int_equal(error, 0);
}

const char *http_server_last(struct http_server *server)
{
    return server->last;
}

size_t http_server_body_size(struct http_server *server)
{
    return server->body_size;
}

void http_server_free(struct http_server *server)
{
    uint64_t one = 1;

    assert_int_equal(write(server->stop_fd, &one, sizeof one), sizeof one);
    pthread_join(server->thread, NULL);
    for (size_t i = 0; i < server->hanging_count; i++) {
        close(server->hanging[i]);
    }
    close(server->fd);
    close(server->stop_fd);
    pthread_mutex_destroy(&server->mutex);
    pthread_cond_destroy(&server->came);
    free(server->last);
    free(server);
}
