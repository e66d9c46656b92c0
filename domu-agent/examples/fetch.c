/* Fetches a page through the agent, over a socket that comes with the agent's answer (mode "socket").
 *
 *     cc -o fetch fetch.c && ./fetch AGENT_SOCKET HOST:PORT SERVER_NAME
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void send_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t n = send(fd, text, left, MSG_NOSIGNAL);
        if (n < 0)
            die("send");
        text += n;
        left -= (size_t)n;
    }
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(path) >= sizeof address.sun_path)
        die("socket");
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    return fd;
}

/* Reads the answer, up to its newline, into `line`. The descriptor comes with the first byte;
 * an answer that is an error has none, which is -1. */
static int receive_answer(int agent, char *line, size_t size)
{
    union {
        struct cmsghdr header; /* for its alignment */
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    size_t length = 0;
    int fd = -1;

    while (length == 0 || line[length - 1] != '\n') {
        struct iovec part = { .iov_base = line + length, .iov_len = size - 1 - length };
        struct msghdr message = {
            .msg_iov = &part,
            .msg_iovlen = 1,
            .msg_control = control.space,
            .msg_controllen = sizeof control.space,
        };
        ssize_t n = recvmsg(agent, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);

        if (n <= 0) {
            fprintf(stderr, "no answer, or one that is too long\n");
            exit(EXIT_FAILURE);
        }
        length += (size_t)n;
        if (first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(first), sizeof fd);
    }
    line[length] = '\0';
    return fd;
}

int main(int argc, char **argv)
{
    static char line[65536];
    int agent, plaintext;
    ssize_t n;

    /* A program with other names than these needs a JSON library for its request. */
    if (argc != 4 || strpbrk(argv[2], "\"\\") || strpbrk(argv[3], "\"\\")) {
        fprintf(stderr, "usage: fetch AGENT_SOCKET HOST:PORT SERVER_NAME\n");
        return EXIT_FAILURE;
    }
    agent = connect_to(argv[1]);
    snprintf(line, sizeof line, "{\"connect\":\"%s\",\"server_name\":\"%s\",\"mode\":\"socket\",\"via\":\"relay\"}\n",
             argv[2], argv[3]);
    send_all(agent, line);
    plaintext = receive_answer(agent, line, sizeof line);
    fputs(line, stderr);
    close(agent); /* it has done its work */
    if (plaintext < 0)
        return EXIT_FAILURE;

    snprintf(line, sizeof line, "GET / HTTP/1.0\r\nHost: %s\r\n\r\n", argv[3]);
    send_all(plaintext, line);
    while ((n = read(plaintext, line, sizeof line)) > 0)
        fwrite(line, 1, (size_t)n, stdout);
    /* Sends nothing, and fails if the agent has closed both directions. */
    if (n < 0 || send(plaintext, "", 0, MSG_NOSIGNAL) < 0) {
        fprintf(stderr, "the page was cut short\n");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
