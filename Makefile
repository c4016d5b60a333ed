# SPDX-License-Identifier: MIT
# Penumbra: everything is built below build/. `make help` lists the targets.

CROSS_COMPILE ?= x86_64-linux-gnu-
KCC      ?= $(CROSS_COMPILE)gcc
LD       := $(CROSS_COMPILE)ld
OBJCOPY  := $(CROSS_COMPILE)objcopy
NM       := $(CROSS_COMPILE)nm
NASM     ?= nasm
# The loader and the user programs always use the distribution's own tools.
HOSTCC   := gcc
MUSLCC   := musl-gcc
BUILD    ?= build
OPTIMISE ?= -O2
WERROR   ?=

WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wvla \
        $(if $(WERROR),-Werror)

KFLAGS := -std=gnu11 -ffreestanding $(OPTIMISE) -g -mno-red-zone -mgeneral-regs-only \
          -mcmodel=kernel -fno-pic -fno-pie -fno-strict-aliasing -fno-omit-frame-pointer \
          -fno-asynchronous-unwind-tables -fstack-protector-strong \
          -mstack-protector-guard=global -fcf-protection=none $(WARN) \
          -Wno-unused-parameter -I. -Iinclude \
          $(if $(findstring clang,$(KCC)),--target=x86_64-linux-gnu)
UFLAGS := -std=gnu11 -O2 -g -fno-toplevel-reorder -fcf-protection=none -fno-stack-protector \
          $(WARN) -Iinclude -Iuser/lib
LFLAGS := -std=gnu11 $(OPTIMISE) -fpic -ffreestanding -fno-stack-protector -fno-stack-check \
          -fshort-wchar -mno-red-zone -fcf-protection=none -Wall -Wextra -Wno-pointer-sign \
          $(if $(WERROR),-Werror) -DGNU_EFI_USE_MS_ABI \
        $(if $(findstring clang,$(HOSTCC)),,-maccumulate-outgoing-args) \
          -I/usr/include/efi -I/usr/include/efi/x86_64 -Iinclude

KSRC     := $(sort $(shell find base arch mm kernel -name '*.c' -o -name '*.asm'))
# What only the test kernel has: planted defects, the oracle, poison.
KTEST    := $(sort $(shell find tests/kernel -name '*.c' -o -name '*.asm'))
BOOT_SRC := $(sort $(wildcard boot/*.c))
ULIB_SRC := $(sort $(wildcard user/lib/*.c))

# Programs that must not start with a shadow stack: the victim of the attack, and the tests of
# opting in.
UNMARKED := bin/victim

# $(call programs,TOP,FOLDERS): the programs of these folders of TOP/, as FOLDER/NAME: their names
# in the root file system.
programs = $(sort $(patsubst $(1)/%.c,%,$(wildcard $(addsuffix /*.c,$(addprefix $(1)/,$(2))))))
BASE_PROGRAMS := $(call programs,user,bin sbin)
TEST_SRC := $(sort $(wildcard tests/user/*.c tests/exercises/*.c))
STRESS_PROGRAMS := $(call programs,tests,stress)
TEST_PROGRAMS := tests/runner $(STRESS_PROGRAMS)
BENCH_PROGRAMS := $(call programs,tests,bench)

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all run demo check test stress fuzz ways coverage mutants bench portable selftest strace \
        loc clean help usb run-bochs run-qemu run-kvm qemu-gdb images FORCE

all: $(BUILD)/penumbra.img

help:
	@echo 'make                 build build/penumbra.img'
	@echo 'make run             boot it (KVM with CET, else Bochs); demo when there is no terminal'
	@echo 'make run-bochs|run-qemu|run-kvm   the same with one emulator'
	@echo 'make demo            the story only, then power off'
	@echo 'make check           the tests that need no emulator, in less than a minute'
	@echo 'make test            all tests'
	@echo 'make stress          minutes of stress with one, two and four CPUs'
	@echo 'make fuzz            random system calls by the million; SEED=, CALLS=, ON=qemu|bochs'
	@echo 'make ways            user-space tests and stress with each way to fork'
	@echo 'make coverage        how many lines of each file the tests run'
	@echo 'make mutants         how many planted defects and patches the quick tests notice'
	@echo 'make portable        the user-space tests here and on Linux, and how they differ'
	@echo 'make selftest        how far Linux'"'"'s test of shadow stacks gets here, in Bochs'
	@echo 'make strace          strace, built from Debian'"'"'s source, traces busybox here'
	@echo 'make bench loc clean qemu-gdb'
	@echo 'make usb DEV=/dev/sdX   write the image to a USB stick'

# ---- Flags: a change of flags rebuilds what used them -------------------------------------------
FLAGS := $(KCC) $(KFLAGS) $(UFLAGS) $(LFLAGS)
$(BUILD)/flags-%: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

# ---- Kernels: build/kernel.elf and, with planted defects and poison, build/test/kernel.elf ------
LDFLAGS := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none -T linker.ld
FONT := /usr/share/consolefonts/Uni2-Terminus16.psf.gz
$(BUILD)/font.c: scripts/font.py
	@mkdir -p $(@D)
	python3 scripts/font.py $(FONT) > $@
$(BUILD)/font.o: $(BUILD)/font.c $(BUILD)/flags-all
	$(KCC) $(KFLAGS) -c $< -o $@

# $(call kernel,FOLDER,SOURCES,EXTRA FLAGS)
define kernel
$(1)_OBJ := $$(patsubst %.c,$(1)/obj/%.o,$$(filter %.c,$(2))) \
            $$(patsubst %.asm,$(1)/obj/%.asm.o,$$(filter %.asm,$(2))) $(BUILD)/font.o

$(1)/obj/%.o: %.c $(BUILD)/flags-all
	@mkdir -p $$(@D)
	$$(KCC) $$(KFLAGS) $(3) -MMD -MP -c $$< -o $$@

$(1)/obj/%.asm.o: %.asm $(BUILD)/flags-all
	@mkdir -p $$(@D)
	$$(NASM) -felf64 -g -Iarch/x86/ $(3) -MD $$(@:.o=.d) -MP $$< -o $$@

# Linked twice: the second time with the table of its own functions. Text comes first in the image,
# so that it stays where the first link put it whatever the table's size.
$(1)/kernel-nosyms.elf: $$($(1)_OBJ) linker.ld
	$$(LD) $$(LDFLAGS) $$($(1)_OBJ) -o $$@

$(1)/symbols_table.c: $(1)/kernel-nosyms.elf scripts/symbols.py
	$$(NM) -n $$< | python3 scripts/symbols.py > $$@

$(1)/symbols_table.o: $(1)/symbols_table.c
	$$(KCC) $$(KFLAGS) -c $$< -o $$@

# For debuggers; images get it without what only they read, for firmware reads files slowly.
$(1)/kernel.debug: $(1)/kernel-nosyms.elf $(1)/symbols_table.o linker.ld
	$$(LD) $$(LDFLAGS) $$($(1)_OBJ) $(1)/symbols_table.o -o $$@

$(1)/kernel.elf: $(1)/kernel.debug
	$$(OBJCOPY) --strip-debug $$< $$@

-include $$($(1)_OBJ:.o=.d)
endef
$(eval $(call kernel,$(BUILD),$(KSRC),))
$(eval $(call kernel,$(BUILD)/test,$(KSRC) $(KTEST),-DCONFIG_TEST=1))

# ---- Loader -------------------------------------------------------------------------------------
BOOT_OBJ := $(BOOT_SRC:%.c=$(BUILD)/obj/%.o)
$(BUILD)/obj/boot/%.o: boot/%.c $(BUILD)/flags-all
	@mkdir -p $(@D)
	$(HOSTCC) $(LFLAGS) -MMD -MP -c $< -o $@
LINK_EFI = ld -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack \
           -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o $^ -o $@ \
           /usr/lib/libefi.a /usr/lib/libgnuefi.a
COPY_EFI = objcopy -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela \
           -j .reloc -j .rodata --target=efi-app-x86_64 --subsystem=10 $< $@
$(BUILD)/loader.so: $(BOOT_OBJ)
	$(LINK_EFI)
$(BUILD)/BOOTX64.EFI: $(BUILD)/loader.so
	$(COPY_EFI)
-include $(BOOT_OBJ:.o=.d)

# A UEFI application that makes the firmware odd, for tests/boot/firmware.py.
$(BUILD)/test/odd_firmware.o: tests/boot/odd_firmware.c $(BUILD)/flags-all
	@mkdir -p $(@D)
	$(HOSTCC) $(LFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/test/odd_firmware.so: $(BUILD)/test/odd_firmware.o
	$(LINK_EFI)
$(BUILD)/test/odd_firmware.efi: $(BUILD)/test/odd_firmware.so
	$(COPY_EFI)
-include $(BUILD)/test/odd_firmware.d

# ---- User programs ------------------------------------------------------------------------------
ULIB_OBJ := $(ULIB_SRC:%.c=$(BUILD)/obj/%.o)
$(BUILD)/obj/user/%.o $(BUILD)/obj/tests/%.o: COMPILE = $(MUSLCC) $(UFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/obj/user/%.o: user/%.c $(BUILD)/flags-all
	@mkdir -p $(@D)
	$(COMPILE)
$(BUILD)/obj/tests/%.o: tests/%.c $(BUILD)/flags-all
	@mkdir -p $(@D)
	$(COMPILE)
$(BUILD)/libpenumbra.a: $(ULIB_OBJ)
	@rm -f $@
	ar rcs $@ $^
mark = $(if $(filter $(1),$(UNMARKED)),,-Wl$(comma)-z$(comma)shstk)
comma := ,
# $(call program,TOP,NAME): TOP/NAME.c, and what is in the folder TOP/NAME/ or TOP/NAMEs/ beside
# it, make a program.
define program
$(BUILD)/root/$(2): $(patsubst %.c,$(BUILD)/obj/%.o,$(1)/$(2).c \
                      $(sort $(wildcard $(1)/$(2)/*.c $(1)/$(2)s/*.c))) $(BUILD)/libpenumbra.a
	@mkdir -p $$(@D)
	$$(MUSLCC) -static $$(call mark,$(2)) $$^ -s -o $$@
endef
$(foreach name,$(BASE_PROGRAMS),$(eval $(call program,user,$(name))))
$(foreach name,$(STRESS_PROGRAMS) $(BENCH_PROGRAMS),$(eval $(call program,tests,$(name))))
# What include/uapi/ names, for the random calls.
$(BUILD)/obj/tests/stress/calls/grammar.o: UFLAGS += -I$(BUILD)/obj/tests/stress
$(BUILD)/obj/tests/stress/calls/grammar.o: $(BUILD)/obj/tests/stress/uapi_constants.h
UAPI := $(filter-out include/uapi/errno.h,$(wildcard include/uapi/*.h))
NUMBER := (0x[0-9a-fA-F]+|[0-9]+)(u?l?)( << [0-9]+)?
$(BUILD)/obj/tests/stress/uapi_constants.h: $(UAPI)
	@mkdir -p $(@D)
	sed -nE 's@^#define +([A-Z][A-Z0-9_]*) +\(?(-?$(NUMBER))\)?( .*)?$$@{ "\1", \2 },@p' $^ \
	    > $@
$(BUILD)/root/tests/runner: $(TEST_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/libpenumbra.a
	@mkdir -p $(@D)
	$(MUSLCC) -static -Wl,-z,shstk $^ -s -o $@
# Process 1 on both sides of scripts/compare.
$(BUILD)/compare/init: scripts/comparison/init.c $(BUILD)/flags-all
	@mkdir -p $(@D)
	$(MUSLCC) $(UFLAGS) -static $< -s -o $@
.SECONDARY:
-include $(shell find $(BUILD)/obj/user $(BUILD)/obj/tests -name '*.d' 2>/dev/null)

# ---- Images -------------------------------------------------------------------------------------
root = $(addprefix $(BUILD)/root/,$(1))
FORK_SIZES ?= 0 16M 64M 256M 1024M
$(BUILD)/initrd.cpio: $(call root,$(BASE_PROGRAMS)) scripts/mkinitrd
	scripts/mkinitrd -o $@ $(BUILD)/root $(BASE_PROGRAMS)
$(BUILD)/test/initrd.cpio: $(call root,$(BASE_PROGRAMS) $(TEST_PROGRAMS)) scripts/mkinitrd
	scripts/mkinitrd -o $@ $(BUILD)/root $(BASE_PROGRAMS) $(TEST_PROGRAMS)
$(BUILD)/bench/initrd.cpio: $(call root,$(BENCH_PROGRAMS)) scripts/mkinitrd
	@mkdir -p $(@D)
	scripts/mkinitrd -o $@ $(BUILD)/root $(BENCH_PROGRAMS)

MKIMAGE := scripts/mkimage -l $(BUILD)/BOOTX64.EFI
IMAGE_DEPENDS := $(BUILD)/BOOTX64.EFI scripts/mkimage
$(BUILD)/penumbra.img: $(BUILD)/kernel.elf $(BUILD)/initrd.cpio $(IMAGE_DEPENDS)
	$(MKIMAGE) -o $@ -k $(BUILD)/kernel.elf -i $(BUILD)/initrd.cpio -c 'init=/sbin/init'
$(BUILD)/demo.img: $(BUILD)/kernel.elf $(BUILD)/initrd.cpio $(IMAGE_DEPENDS)
	$(MKIMAGE) -o $@ -k $(BUILD)/kernel.elf -i $(BUILD)/initrd.cpio -c 'init=/sbin/init demo'
$(BUILD)/bench.img: $(BUILD)/kernel.elf $(BUILD)/bench/initrd.cpio $(IMAGE_DEPENDS)
	$(MKIMAGE) -o $@ -k $(BUILD)/kernel.elf -i $(BUILD)/bench/initrd.cpio -c 'init=/bench/bench'
$(BUILD)/parallel.img $(BUILD)/test/parallel.img: $(BUILD)/%parallel.img: $(BUILD)/%kernel.elf \
        $(BUILD)/bench/initrd.cpio $(IMAGE_DEPENDS)
	$(MKIMAGE) -o $@ -k $< -i $(BUILD)/bench/initrd.cpio -c 'init=/bench/parallel -- 4'
$(BUILD)/fork.img: $(BUILD)/kernel.elf $(BUILD)/bench/initrd.cpio $(IMAGE_DEPENDS)
	$(MKIMAGE) -o $@ -k $< -i $(BUILD)/bench/initrd.cpio -c 'init=/bench/fork -- $(FORK_SIZES)'
images: $(BUILD)/penumbra.img $(BUILD)/demo.img $(BUILD)/bench.img $(BUILD)/test/kernel.elf \
        $(BUILD)/test/initrd.cpio $(BUILD)/compare/init

# ---- Doing things -------------------------------------------------------------------------------
run:
	@scripts/run
run-bochs run-qemu run-kvm: run-%:
	@scripts/run --$*
demo:
	@scripts/run --demo
check:
	@scripts/test --quick
test:
	@scripts/test
stress:
	@scripts/test --long
ways:
	@scripts/test --ways
fuzz: images
	@tests/stress/fuzz.py --seed '$(or $(SEED),1)' --calls '$(or $(CALLS),0)' --on '$(ON)'
coverage:
	@tests/coverage/coverage.py
mutants:
	@tests/mutants/mutants.py
BENCH_IMAGES := $(BUILD)/bench.img $(BUILD)/fork.img $(BUILD)/parallel.img \
                $(BUILD)/test/parallel.img
bench: $(BENCH_IMAGES)
	@scripts/bench $(BENCH_IMAGES) $(BUILD)/bench.json
# The user-space tests on both sides, but for those that are about Penumbra alone. With SHSTK=1 in
# Bochs, where those that switch a shadow stack on run too (KEY=shstk_: they alone).
portable: images
	@scripts/compare $(if $(SHSTK),--shstk --timeout 1800,--smp 2 --timeout 600) \
	    --root $(BUILD)/root $(BUILD)/root/tests/runner \
	    --portable $(if $(SHSTK),bochs,qemu) $(KEY)
# Linux's own test of shadow stacks, as far as it gets.
selftest: images
	@tests/selftest/selftest.py
# strace traces busybox here.
strace: images
	@tests/selftest/strace.py
qemu-gdb: $(BUILD)/penumbra.img
	@scripts/emulate --qemu --gdb $<
usb: $(BUILD)/penumbra.img
	@scripts/usb $< '$(DEV)'
loc:
	@scripts/loc
clean:
	rm -rf $(BUILD)
