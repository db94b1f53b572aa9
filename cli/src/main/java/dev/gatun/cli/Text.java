package dev.gatun.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.zip.CRC32;

/**
 * Many files, read as one long run of bytes. Only their sizes are known at first: a file is read when a byte of it is
 * asked for, and kept. So training on fifty megabytes starts at once, and which bytes an offset names does not depend on
 * what was read before.
 */
final class Text {

    /** One file: its name, its size, and how to get its bytes. */
    record Part(String name, long bytes, Reader reader) {}

    /** Reads a whole file. */
    @FunctionalInterface
    interface Reader {
        byte[] read() throws IOException;
    }

    private final List<Part> parts;
    private final long[] starts;
    private final AtomicReferenceArray<byte[]> read;

    Text(List<Part> parts) {
        this.parts = parts;
        this.starts = new long[parts.size() + 1];
        for (int i = 0; i < parts.size(); i++) {
            starts[i + 1] = starts[i] + parts.get(i).bytes();
        }
        this.read = new AtomicReferenceArray<>(parts.size());
    }

    /** How many bytes all files have together. */
    long bytes() {
        return starts[parts.size()];
    }

    /** How many files there are. */
    int files() {
        return parts.size();
    }

    /** The bytes from an offset on, as many as {@code target} has room for. */
    void read(long from, byte[] target) {
        if (from < 0 || from > bytes() - target.length) {
            throw new IndexOutOfBoundsException(
                    "text: " + target.length + " bytes from " + from + " on, but there are " + bytes());
        }
        int part = partAt(from);
        for (int filled = 0; filled < target.length; part++) {
            byte[] bytes = part(part);
            int skip = (int) (from + filled - starts[part]);
            int count = Math.min(bytes.length - skip, target.length - filled);
            System.arraycopy(bytes, skip, target, filled, count);
            filled += count;
        }
    }

    /** The first bytes: {@code most}, or all where there are fewer. */
    byte[] head(int most) {
        byte[] head = new byte[(int) Math.min(most, bytes())];
        read(0, head);
        return head;
    }

    /** A number that changes when a file is added, removed, renamed, moved or changes its size. */
    long fingerprint() {
        CRC32 sum = new CRC32();
        for (Part part : parts) {
            sum.update((part.name() + '\n' + part.bytes() + '\n').getBytes(StandardCharsets.UTF_8));
        }
        return sum.getValue();
    }

    private int partAt(long offset) {
        int found = Arrays.binarySearch(starts, offset);
        return found < 0 ? -found - 2 : found;
    }

    private byte[] part(int i) {
        byte[] bytes = read.get(i);
        if (bytes != null) {
            return bytes;
        }
        Part part = parts.get(i);
        try {
            bytes = part.reader().read();
        } catch (IOException e) {
            throw new UncheckedIOException("text: cannot read " + part.name(), e);
        }
        if (bytes.length != part.bytes()) {
            throw new UserError("text: " + part.name() + " had " + part.bytes() + " bytes and now has " + bytes.length
                    + "; a text must not change while it is read");
        }
        read.set(i, bytes);
        return bytes;
    }
}
