package dev.gatun.bindings;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * What can be seen of a shared library before it is loaded: the system's loader says no and Java does not pass on why.
 * Files of Linux are looked into (System V ABI, chapter 4: the ELF header); those of other systems are only read.
 */
final class SharedObject {

    private static final byte[] MAGIC = {0x7f, 'E', 'L', 'F'};
    private static final int HEADER_BYTES = 20;
    private static final int BYTE_ORDER = 5;
    private static final int BIG_ENDIAN = 2;
    private static final int MACHINE = 18;

    /** Processors by the numbers that ELF has for them, and by Java's and by everybody's names. */
    private enum Machine {
        X86(3, "x86", "x86"),
        ARM(40, "arm", "arm"),
        X86_64(62, "amd64", "x86_64"),
        AARCH64(183, "aarch64", "aarch64"),
        RISCV64(243, "riscv64", "riscv64");

        private final int number;
        private final String java;
        private final String text;

        Machine(int number, String java, String text) {
            this.number = number;
            this.java = java;
            this.text = text;
        }

        static String of(int number) {
            return Arrays.stream(values()).filter(m -> m.number == number).findFirst().map(m -> m.text).orElse("machine " + number);
        }

        static String ours() {
            String arch = System.getProperty("os.arch");
            return Arrays.stream(values()).filter(m -> m.java.equals(arch)).findFirst().map(m -> m.text).orElse(arch);
        }
    }

    private SharedObject() {}

    /** Why a file cannot be loaded, as the end of a sentence that starts with its name; empty when nothing speaks against it. */
    static Optional<String> refusal(Path file) {
        if (!Files.exists(file)) {
            return Optional.of("does not exist");
        }
        if (Files.isDirectory(file)) {
            return Optional.of("is a folder");
        }
        byte[] header;
        try (InputStream in = Files.newInputStream(file)) {
            header = in.readNBytes(HEADER_BYTES);
        } catch (IOException e) {
            return Optional.of("cannot be read");
        }
        if (!System.getProperty("os.name").equals("Linux")) {
            return Optional.empty();
        }
        if (header.length < HEADER_BYTES || !Arrays.equals(header, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
            return Optional.of("is no shared library");
        }
        ByteOrder order = header[BYTE_ORDER] == BIG_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        String machine = Machine.of(ByteBuffer.wrap(header).order(order).getShort(MACHINE));
        return machine.equals(Machine.ours()) ? Optional.empty()
                : Optional.of("is for " + machine + " and not for " + Machine.ours());
    }
}
