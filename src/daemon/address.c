/* Where the admin listener listens: see address.h. */
#include "daemon/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, PORTS_TRIED = 100 };

static const char PATH_SIZE[] = "the path of a socket has 1 to 107 bytes";
static const char NEITHER[] = "it is neither host:port nor unix:/path nor off";

static enum orderly_err refuse(struct orderly_error *error, const char *listen, const char *why)
{
    error->code = ORDERLY_CONFIG;
    snprintf(error->text, sizeof error->text, "admin.listen %.200s: %s", listen, why);
    return ORDERLY_CONFIG;
}

/* ---- A socket file ------------------------------------------------------------------------------------ */

/* A file that nobody listens on is left over from a process that was killed. */
static bool is_left_over(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool left_over;

    if (fd < 0) {
        return false;
    }
    left_over =
        connect(fd, (const struct sockaddr *)(const void *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(fd);
    return left_over;
}

static bool is_path(const char *path)
{
    return path[0] != '\0' && strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path;
}

static enum orderly_err listen_unix(const char *listen_text, int *ret_fd, struct orderly_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = listen_text + strlen("unix:");
    mode_t mask;
    int fd, failed;

    if (!is_path(path)) {
        return refuse(error, listen_text, PATH_SIZE);
    }
    memcpy(address.sun_path, path, strlen(path));
    if (is_left_over(&address)) {
        unlink(path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return refuse(error, listen_text, strerror(errno));
    }
    mask = umask(0177);
    failed = bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) != 0 || listen(fd, BACKLOG) != 0;
    umask(mask);
    if (failed) {
        enum orderly_err err = refuse(error, listen_text, strerror(errno));

        close(fd);
        return err;
    }
    *ret_fd = fd;
    return ORDERLY_OK;
}

/* ---- Host and port ------------------------------------------------------------------------------------ */

/* "host:port", "[::1]:port"; false when it is none. */
static bool split(const char *text, char host[256], unsigned *ret_port)
{
    const char *colon = strrchr(text, ':');
    const char *from = text;
    char *end = NULL;
    unsigned long port;
    size_t size;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    port = strtoul(colon + 1, &end, 10);
    size = (size_t)(colon - text);
    if (*end != '\0' || port > 65535) {
        return false;
    }
    if (size >= 2 && text[0] == '[' && colon[-1] == ']') {
        from++;
        size -= 2;
    }
    if (size >= 256) {
        return false;
    }
    memcpy(host, from, size);
    host[size] = '\0';
    *ret_port = (unsigned)port;
    return true;
}

static int try_bind(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int listen_at(const char *host, unsigned port, const char **ret_why)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    int fd = -1, error;

    snprintf(service, sizeof service, "%u", port);
    error = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &list);
    if (error != 0) {
        *ret_why = gai_strerror(error);
        errno = EINVAL;
        return -1;
    }
    for (const struct addrinfo *info = list; info != NULL && fd < 0; info = info->ai_next) {
        fd = try_bind(info);
    }
    if (fd < 0) {
        error = errno;
        *ret_why = strerror(error);
        errno = error;
    }
    freeaddrinfo(list);
    return fd;
}

/* The port that was taken, also for port 0. */
static unsigned bound_port(int fd, unsigned port)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char service[8];

    if (getsockname(fd, (struct sockaddr *)(void *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)(void *)&address, size, NULL, 0, service, sizeof service, NI_NUMERICSERV) != 0) {
        return port;
    }
    return (unsigned)strtoul(service, NULL, 10);
}

enum orderly_err od_address_check(const char *listen, struct orderly_error *error)
{
    char host[256];
    unsigned port;

    if (listen[0] == '\0' || strcmp(listen, "off") == 0) {
        return ORDERLY_OK;
    }
    if (strncmp(listen, "unix:", 5) == 0) {
        return is_path(listen + 5) ? ORDERLY_OK : refuse(error, listen, PATH_SIZE);
    }
    return split(listen, host, &port) ? ORDERLY_OK : refuse(error, listen, NEITHER);
}

enum orderly_err od_address_listen(const char *listen, bool moves, int *ret_fd, char *actual, size_t size,
                                   struct orderly_error *error)
{
    char host[256];
    const char *why = "";
    unsigned port;
    int fd = -1;

    if (strncmp(listen, "unix:", 5) == 0) {
        snprintf(actual, size, "%s", listen);
        return listen_unix(listen, ret_fd, error);
    }
    if (!split(listen, host, &port)) {
        return refuse(error, listen, NEITHER);
    }
    for (unsigned i = 0; i < (moves ? PORTS_TRIED : 1u) && fd < 0 && port + i <= 65535; i++) {
        fd = listen_at(host, port + i, &why);
        if (fd < 0 && errno != EADDRINUSE) {
            break;
        }
    }
    if (fd < 0) {
        return refuse(error, listen, why);
    }
    port = bound_port(fd, port);
    if (strchr(host, ':') != NULL) {
        snprintf(actual, size, "[%s]:%u", host, port);
    } else {
        snprintf(actual, size, "%s:%u", host, port);
    }
    *ret_fd = fd;
    return ORDERLY_OK;
}
