/* See peer.h. */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct plan plan_of(int argc, char **argv)
{
    if (argc != 5)
        give_up("usage: PROGRAM CERTIFICATE KEY CA 1.2|1.3");
    /* Whoever started it reads line by line, and a client may leave in the middle. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    return (struct plan){argv[1], argv[2], argv[3], argv[4]};
}

int listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    if (listening < 0 || bind(listening, (struct sockaddr *)&address, length) != 0 ||
        listen(listening, 16) != 0 ||
        getsockname(listening, (struct sockaddr *)&address, &length) != 0)
        give_up("cannot listen");
    printf("listening %d\n", ntohs(address.sin_port));
    return listening;
}

int next_client(int listening)
{
    int one = 1;
    int client = accept(listening, NULL, NULL);
    if (client < 0)
        give_up("cannot accept");
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return client;
}

void say_handshake(const char *version, int resumed, const unsigned char *der, size_t length)
{
    printf("handshake %s %s ", version, resumed ? "resumed" : "full");
    if (der == NULL)
        putchar('-');
    else
        for (size_t i = 0; i < length; i++)
            printf("%02x", der[i]);
    putchar('\n');
}

void say_failed(const char *why)
{
    printf("failed %s\n", why);
}

void say_closed(const char *how)
{
    printf("closed %s\n", how);
}

_Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}
