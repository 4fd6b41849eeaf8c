/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tun.c - how a tap device treats frames, and what it offers */
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "test/kernel/kernel.h"

#define WHY	"may not make a tap device in a network namespace"

static int tap(const char *name, short flags)
{
	struct ifreq ifr = {
		.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)
	};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return -1;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A frame of @len bytes leaves through interface @name, towards the tap. */
static void send_frame(const char *name, size_t len)
{
	static uint8_t frame[70000] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2,
					0x88, 0xb5 };	/* experimental */
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_halen = 6,
		.sll_ifindex = (int)if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	EQ(sendto(fd, frame, len, 0, (struct sockaddr *)&ll, sizeof(ll)), len);
	close(fd);
}

static bool in_own_network;

static bool prepared(void)
{
	if (!in_own_network)
		in_own_network = own_network();
	return in_own_network;
}

/* The kernel's own frames (neighbour discovery) come in between. */
static ssize_t read_ours(int fd, uint8_t *buf, size_t len)
{
	ssize_t n;

	for (int tries = 0; tries < 200; tries++) {
		n = read(fd, buf, len);
		if (n >= 14 && buf[12] == 0x88 && buf[13] == 0xb5)
			return n;
		if (n < 0)
			usleep(1000);
	}
	return -1;
}

TEST(a_frame_longer_than_the_buffer_is_cut_without_a_word)
{
	uint8_t buf[100];
	int fd;

	if (!prepared() || (fd = tap("cut", 0)) < 0)
		SKIP(WHY);
	OK(!link_up("cut"));
	send_frame("cut", 1000);
	EQ(read_ours(fd, buf, sizeof(buf)), sizeof(buf));
	send_frame("cut", 60);		/* the rest is gone */
	EQ(read_ours(fd, buf, sizeof(buf)), 60);
	close(fd);
}

TEST(a_frame_longer_than_the_mtu_can_be_written)
{
	static uint8_t frame[65535] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2,
					0x88, 0xb5 };
	int fd;

	if (!prepared() || (fd = tap("long", 0)) < 0)
		SKIP(WHY);
	OK(!link_up("long"));
	EQ(write(fd, frame, sizeof(frame)), sizeof(frame));
	close(fd);
}

TEST(writing_while_the_interface_is_down_is_eio)
{
	uint8_t frame[60] = { 0 };
	int fd;

	if (!prepared() || (fd = tap("down", 0)) < 0)
		SKIP(WHY);
	EQ(write(fd, frame, sizeof(frame)), -1);
	EQ(errno, EIO);
	close(fd);
}

TEST(with_vnet_hdr_each_frame_has_a_header_of_the_size_set)
{
	uint8_t buf[2000];
	int fd, size = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	ssize_t n = -1;

	if (!prepared() || (fd = tap("vnet", IFF_VNET_HDR)) < 0)
		SKIP(WHY);
	OK(!ioctl(fd, TUNSETVNETHDRSZ, &size));
	OK(!link_up("vnet"));
	send_frame("vnet", 60);
	for (int tries = 0; tries < 200; tries++) {
		n = read(fd, buf, sizeof(buf));
		if (n >= size + 14 && buf[size + 12] == 0x88)
			break;
		if (n < 0)
			usleep(1000);
	}
	EQ(n, size + 60);
	EQ(buf[1], VIRTIO_NET_HDR_GSO_NONE);

	memset(buf, 0, sizeof(buf));
	buf[size + 12] = 0x88;
	buf[size + 13] = 0xb5;
	EQ(write(fd, buf, (size_t)size + 60), size + 60);
	EQ(write(fd, buf, (size_t)size - 1), -1);
	EQ(errno, EINVAL);
	close(fd);
}

TEST(offloads_are_granted_or_refused_one_by_one)
{
	static const struct {
		unsigned bits;
		const char *name;
	} sets[] = {
		{ TUN_F_CSUM, "checksum" },
		{ TUN_F_CSUM | TUN_F_TSO4, "TCP over IPv4" },
		{ TUN_F_CSUM | TUN_F_TSO6, "TCP over IPv6" },
		{ TUN_F_CSUM | 0x60, "UDP (since 6.2)" },
	};
	int fd;

	if (!prepared() || (fd = tap("off", IFF_VNET_HDR)) < 0)
		SKIP(WHY);
	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		int rc = ioctl(fd, TUNSETOFFLOAD, sets[i].bits);

		printf("  %s: %s\n", sets[i].name, rc ? "refused" : "granted");
		if (i < 3)
			EQ(rc, 0);
		else
			OK(!rc || errno == EINVAL);
	}
	EQ(ioctl(fd, TUNSETOFFLOAD, 0x40000000), -1);	/* no such bit */
	EQ(errno, EINVAL);
	EQ(ioctl(fd, TUNSETOFFLOAD, TUN_F_TSO4), -1);	/* without checksum */
	EQ(errno, EINVAL);
	close(fd);
}
