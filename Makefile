# SPDX-License-Identifier: GPL-2.0-or-later
# Makefile for passt and pasta. "make help" lists what it can do.
#
# Variables: CC, CFLAGS, LDFLAGS as usual; O, the folder of objects; WERROR=1;
# SAN=address,undefined, a build with sanitizers in a folder of its own;
# PREFIX and DESTDIR for installation.

CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
SAN ?=

comma := ,
O ?= build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))

VERSION := $(shell cat VERSION 2>/dev/null || \
	git describe --tags --always 2>/dev/null || echo unknown)

# --- what there is ---------------------------------------------------------

SRC := $(wildcard *.c wire/*.c link/*.c services/*.c setup/*.c control/*.c)
OBJ := $(SRC:%.c=$(O)/%.o)
LIB_OBJ := $(filter-out $(O)/passt.o,$(OBJ))

# Programs of their own, which list what they are linked with in a comment.
TOOL_SRC := $(wildcard tools/*.c)
# For callers of another program; not installed unless asked for.
SLIRP_SRC := contrib/slirp4netns/slirp4netns.c
SLIRP := $(SLIRP_SRC:%.c=$(O)/%)
UNIT_SRC := $(wildcard test/unit/*.c)
FUZZ_SRC := $(wildcard test/fuzz/*.c)
UNIT := $(UNIT_SRC:%.c=$(O)/%)
FUZZ := $(FUZZ_SRC:%.c=$(O)/%)

GUEST_SRC := $(wildcard test/guest/*.c)
GUEST := $(if $(GUEST_SRC),$(O)/guest/guest)
DIARIES := $(wildcard test/guest/*.t)

# The simulation has a kernel of its own, and a slab it can look into.
SIM_SRC := $(wildcard test/sim/*.c)
SIM := $(O)/test/sim/sim
SIM_OBJ := $(filter-out $(O)/agent.o $(O)/backlog.o $(O)/setup/%,$(LIB_OBJ))

# The product lands in the top folder; special builds keep to their own.
BIN := $(if $(filter build,$(O)),.,$(O))
TOOLS := $(TOOL_SRC:tools/%.c=$(BIN)/%)

# --- how it is compiled ----------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(DEFS) -I. \
	$(WARN) $(WARN_MORE) $(if $(WERROR),-Werror) \
	-fPIE -fstack-protector-strong -fno-asynchronous-unwind-tables \
	$(SAN_FLAGS) $(CPPFLAGS) $(CFLAGS) $(COLD)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SAN_FLAGS) $(CFLAGS) $(LDFLAGS)
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)

# All that "make help" lists, and what that is made of.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' Makefile) FORCE \
	fuzz-build fuzz-one install-completion install-slirp4netns
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BIN)/passt $(BIN)/pasta $(TOOLS) $(SLIRP)	## build passt, pasta and the tools

$(BIN)/passt: $(OBJ)
	$(CC) $(ALL_LDFLAGS) -o $@ $(OBJ)

$(BIN)/pasta: | $(BIN)/passt
	ln -sf passt $@

# --- the sandbox's lists of system calls, from the files that make them ------

# SECCOMP_DEBUG=1: see seccomp_debug.c.
CALLS_FOR := $(if $(SAN),for sanitizers)

$(O)/seccomp_calls.h: tools/mkseccomp $(SRC) $(O)/seccomp_for
	@mkdir -p $(@D)
	tools/mkseccomp $(CALLS_FOR) $(SRC) >$@

$(O)/seccomp_for: FORCE
	@mkdir -p $(@D)
	@echo '$(CALLS_FOR) $(SECCOMP_DEBUG)' | cmp -s - $@ || \
		echo '$(CALLS_FOR) $(SECCOMP_DEBUG)' >$@

$(O)/seccomp_names.h: Makefile
	@mkdir -p $(@D)
	echo '#include <sys/syscall.h>' | $(CC) $(CPPFLAGS) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/NAME(\1)/p' >$@

$(O)/setup/seccomp.o: $(O)/seccomp_calls.h
$(O)/setup/seccomp.o: DEFS := -I$(O)
$(O)/setup/seccomp_debug.o: $(O)/seccomp_for
ifdef SECCOMP_DEBUG
$(O)/setup/seccomp_debug.o: $(O)/seccomp_names.h
$(O)/setup/seccomp_debug.o: DEFS := -DSECCOMP_DEBUG -I$(O)
endif

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Where bytes become numbers, every conversion is written out.
BASE := $(shell sed -n 's/^base://p' LAYERS)
$(BASE:%=$(O)/%.o) $(O)/wire/%.o: WARN_MORE := -Wconversion

# What runs once, or for whoever types, may be slow, and is rather small. The
# tables for unwinding, of a program that never does, are in what -g adds.
$(O)/setup/%.o $(O)/control/%.o $(O)/services/dhcp%.o $(O)/services/n%.o \
	$(O)/fwd_spec.o $(O)/agent.o: COLD := $(if $(filter -O2,$(CFLAGS)),-Os)

# Only what prints the version is compiled again when it changes.
VERSIONED := $(O)/passt.o $(TOOL_SRC:%.c=$(O)/%.o) \
	$(O)/contrib/slirp4netns/options.o
$(VERSIONED): DEFS := -DVERSION='"$(VERSION)"'
$(VERSIONED): $(O)/version
$(O)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

-include $(OBJ:.o=.d)
-include $(patsubst %.c,$(O)/%.d,$(TOOL_SRC) $(UNIT_SRC) $(FUZZ_SRC) \
	$(GUEST_SRC) $(SIM_SRC) $(wildcard contrib/*/*.c))

# One file that runs anywhere. Debian's musl-gcc does not know how to link a
# position-independent static program, nor where kernel headers are.
MULTIARCH = $(shell $(CC) -print-multiarch)
static:	## build/static/passt, linked with musl, for any Linux
	@$(MAKE) O=build/static CC='musl-gcc -idirafter /usr/include \
		-idirafter /usr/include/$(MULTIARCH)' \
		LDFLAGS='-static -nostartfiles -Wl,-pie,--no-dynamic-linker \
		-Wl,-z,text $(LDFLAGS) \
		/usr/lib/$(MULTIARCH:gnu=musl)/rcrt1.o' all

# --- tests -----------------------------------------------------------------

# Prerequisites from the "links:" comments.
LINKED := $(TOOL_SRC) $(SLIRP_SRC) $(UNIT_SRC) $(FUZZ_SRC) test/sim/sim.c
$(O)/links.mk: test/links.awk $(LINKED)
	@mkdir -p $(@D)
	@awk -v O=$(O) -f $< $(LINKED) >$@
ifneq ($(filter-out clean help,$(or $(MAKECMDGOALS),all)),)
-include $(O)/links.mk
endif

$(UNIT) $(TOOL_SRC:%.c=$(O)/%) $(SLIRP): %: %.o
	$(CC) $(ALL_LDFLAGS) $(WRAP) -o $@ $(filter %.o,$^)

$(TOOLS): $(BIN)/%: $(O)/tools/%
	cp $< $@

$(GUEST): $(GUEST_SRC:%.c=$(O)/%.o) $(LIB_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^

$(SIM): $(SIM_SRC:%.c=$(O)/%.o) $(SIM_OBJ)
	$(CC) $(ALL_LDFLAGS) $(WRAP) -o $@ $(filter %.o,$^)

check: lint check-unit check-guest	## all that runs in seconds, without root

check-kernel:	## what we rely on the kernel for, one program a fact
	@test/kernel/run

# With the filter that tells the name of what it forbids.
DEBUG_UNIT := $(addprefix build/debug/test/unit/,seccomp sandbox sandbox_barred)
check-debug:	## sandbox tests, of a build with SECCOMP_DEBUG=1
	@$(MAKE) SECCOMP_DEBUG=1 O=build/debug UNIT='$(DEBUG_UNIT)' check-unit all
	@PASST_DIR='$(abspath build/debug)' test/sys/run sandbox

check-cross:	## unit tests on other machines, T=aarch64, i686, s390x
	@test/cross $(T)

check-package:	## installation, packages, policies; T=part of it
	@test/package $(T)

lint:	## layers, headers, words that must not be there
	@CC='$(CC)' test/lint/run

check-unit: $(UNIT)	## unit tests, one program per module
	@failed=0; for t in $(UNIT); do \
		timeout 60 $$t >$$t.log 2>&1 || { \
			echo "FAILED ($$?): $$t"; cat $$t.log; failed=1; \
			continue; }; \
		tail -n 1 $$t.log; \
	done; exit $$failed

check-guest: $(GUEST)	## packet diaries, against all of it but main()
	$(if $(DIARIES),@timeout 120 $(GUEST) $(DIARIES))

# One seed is shown in full, others are counted.
SEEDS ?= $(if $(SAN),2000,100000)
check-sim: $(SIM)	## simulated schedules: SEEDS=count, SEED=one, in full
	@$(SIM) $(if $(SEED),-v -s $(SEED) $(if $(FAULT),-f $(FAULT)),\
		-n $(SEEDS))

check-sys: all	## one script per promise, in namespaces
	@PASST_DIR='$(abspath $(BIN))' SLIRP4NETNS='$(abspath $(SLIRP))' \
		test/sys/run $(T)

# In start-up of the real program, then in flight in the simulated world.
FAULT_SEEDS ?= 8
check-fault: all $(SIM)	## each call fails once, F=--long for more errors
	@PASST_DIR='$(abspath $(BIN))' test/fault/setup $(F)
	@$(SIM) -x -n $(FAULT_SEEDS)

# A million takes seven minutes.
SOAK ?= 100000
check-soak: all	## SOAK connections come and go while 10,000 stand idle
	@PASST_DIR='$(abspath $(BIN))' test/soak/run $(SOAK)

check-clients: all	## with Podman, RootlessKit, QEMU and others of Debian 13
	@PASST_DIR='$(abspath $(BIN))' test/clients/run $(T)

bench: all	## throughput, latency, connections
	@PASST_DIR='$(abspath $(BIN))' test/bench/run $(T)

bench-start: all	## what a start costs, alone and in a container
	@PASST_DIR='$(abspath $(BIN))' test/bench/start $(T)

# Findings go to the build folder, seeds are kept with the source.
FUZZ_TOTAL ?= 600
FUZZ_SECONDS ?= 0
FUZZ_SAN := fuzzer-no-link,address,undefined
FUZZ_O := build/san-$(subst $(comma),-,$(FUZZ_SAN))
fuzz:	## fuzz T=target for FUZZ_SECONDS, or for ever; or all, in turns
	@$(MAKE) CC=clang SAN=$(FUZZ_SAN) $(if $(T),fuzz-one,fuzz-build)
	$(if $(T),,@while test/fuzz/run $(FUZZ_O) $(FUZZ_TOTAL); do :; done; false)

fuzz-ci:	## fuzz all targets for FUZZ_TOTAL seconds, then fuzz-cov
	@$(MAKE) CC=clang SAN=$(FUZZ_SAN) fuzz-build
	@test/fuzz/run $(FUZZ_O) $(FUZZ_TOTAL)
	@$(MAKE) fuzz-cov

# Half a minute more, with what was found before.
fuzz-cov:	## lines of each parser that fuzzing reaches
	@$(MAKE) CC=clang SAN=fuzzer-no-link O=build/fuzz-cov \
		CFLAGS='-O1 -g -fprofile-instr-generate -fcoverage-mapping' \
		fuzz-build
	@test/fuzz/cov build/fuzz-cov 30 $(FUZZ_O)/corpus

$(FUZZ): %: %.o
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $(WRAP) -o $@ $(filter %.o,$^)

fuzz-build: $(FUZZ)

fuzz-one: $(O)/test/fuzz/$(T)
	@mkdir -p $(O)/corpus/$(T)
	$< -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$(O)/$(T)- \
		$(O)/corpus/$(T) $(wildcard test/fuzz/corpus/$(T))

cov:	## line coverage of check-unit and check-guest, per file
	@rm -rf build/cov
	@$(MAKE) O=build/cov CFLAGS='-O0 -g --coverage' check-unit check-guest
	@cd build/cov && gcov -n $(SRC:%.c=%.o) 2>/dev/null | \
		awk -F"['%:]" '/^File/ { f = $$2 } \
		/^Lines/ && f ~ /\.c$$/ { printf "%6.1f%%  %s\n", $$2, f; \
		f = "" }' | sort -n

analyze: $(O)/seccomp_calls.h	## gcc's analyzer, clang-tidy, cppcheck: all files, or T='files'
	@test/analyze $(T)

sizes: $(BIN)/passt	## what is large: files, functions, the program
	@tools/sizes
	@strip -o $(O)/passt.stripped $<
	@wc -c <$(O)/passt.stripped | sed 's/$$/ bytes: passt, stripped/'

# --- documents, from the same rows as the parser ---------------------------

MAN := $(O)/doc/passt.1 $(O)/doc/pasta.1 $(O)/doc/pesto.1
COMPLETION := $(addprefix $(O)/doc/completion/,bash zsh fish)

$(O)/doc/%.1: doc/%.1.in $(wildcard doc/*.man) setup/options.def \
		tools/pesto.def tools/mkman
	@mkdir -p $(@D)
	tools/mkman man $* <$< >$@

$(COMPLETION): $(O)/doc/completion/%: setup/options.def tools/pesto.def \
		tools/mkman $(wildcard doc/completion.*)
	@mkdir -p $(@D)
	tools/mkman $* >$@

doc: $(MAN) $(COMPLETION)	## manual pages and shell completion

BINDIR := $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/passt
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
APPARMORDIR ?= /etc/apparmor.d
INSTALL_PROGRAM ?= install

# Security modules tell programs apart by their paths, which a symbolic link
# would hide.
install: all doc install-completion	## into DESTDIR/PREFIX
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(DOCDIR))
	$(INSTALL_PROGRAM) -m 755 $(BIN)/passt $(TOOLS) $(DESTDIR)$(BINDIR)
	ln -f $(DESTDIR)$(BINDIR)/passt $(DESTDIR)$(BINDIR)/pasta
	install -m 644 $(MAN) $(DESTDIR)$(MANDIR)/man1
	install -m 644 COPYING README.md $(wildcard doc/*.md) \
		$(DESTDIR)$(DOCDIR)

install-strip:	## the same, without debug information
	@$(MAKE) INSTALL_PROGRAM='$(INSTALL_PROGRAM) -s' install

install-slirp4netns: all	## pasta under that name too
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1)
	$(INSTALL_PROGRAM) -m 755 $(SLIRP) $(DESTDIR)$(BINDIR)
	install -m 644 contrib/slirp4netns/slirp4netns.1 \
		$(DESTDIR)$(MANDIR)/man1

install-completion: $(COMPLETION)
	install -d $(addprefix $(DESTDIR),$(BASHDIR) $(ZSHDIR) $(FISHDIR))
	install -m 644 $(O)/doc/completion/bash $(DESTDIR)$(BASHDIR)/passt
	ln -sf passt $(DESTDIR)$(BASHDIR)/pasta
	ln -sf passt $(DESTDIR)$(BASHDIR)/pesto
	install -m 644 $(O)/doc/completion/zsh $(DESTDIR)$(ZSHDIR)/_passt
	install -m 644 $(O)/doc/completion/fish $(DESTDIR)$(FISHDIR)/passt.fish
	ln -sf passt.fish $(DESTDIR)$(FISHDIR)/pasta.fish
	ln -sf passt.fish $(DESTDIR)$(FISHDIR)/pesto.fish

# Profiles name programs by their paths.
install-apparmor:	## AppArmor profiles, into DESTDIR
	install -d $(DESTDIR)$(APPARMORDIR)/abstractions
	install -m 644 contrib/apparmor/abstractions/* \
		$(DESTDIR)$(APPARMORDIR)/abstractions
	for p in passt pasta pesto; do \
		sed 's#/usr/bin/#$(BINDIR)/#' contrib/apparmor/usr.bin.$$p \
			>$(DESTDIR)$(APPARMORDIR)/usr.bin.$$p || exit; \
		chmod 644 $(DESTDIR)$(APPARMORDIR)/usr.bin.$$p || exit; \
	done

selinux:	## SELinux modules, in build/selinux
	@mkdir -p build/selinux
	@cp contrib/selinux/* build/selinux
	@$(MAKE) -C build/selinux -f /usr/share/selinux/devel/Makefile

deb:	## a package for Debian, build/deb/passt_*.deb
	@tools/mkdeb '$(VERSION)'

# --- the rest --------------------------------------------------------------

clean:	## remove all that was built
	rm -rf build
	rm -f passt pasta $(TOOL_SRC:tools/%.c=%)

help:	## this list
	@awk -F ':.*## *' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' \
		Makefile
