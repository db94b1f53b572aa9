package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.NotEmpty;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class TextTest {

    @Property
    void reading_from_files_is_reading_from_all_of_them_joined(
            @ForAll @Size(min = 1, max = 6) List<@NotEmpty byte[]> files, @ForAll int first, @ForAll int second) {
        byte[] joined = joined(files);
        int from = Math.floorMod(first, joined.length);
        byte[] read = new byte[Math.floorMod(second, joined.length - from + 1)];

        text(files).read(from, read);

        assertArrayEquals(Arrays.copyOfRange(joined, from, from + read.length), read);
    }

    @Test
    void a_file_is_read_once_and_only_when_it_is_asked_for() {
        List<String> reads = new ArrayList<>();
        Text text = new Text(List.of(
                new Text.Part("a", 2, () -> {
                    reads.add("a");
                    return new byte[2];
                }),
                new Text.Part("b", 2, () -> {
                    reads.add("b");
                    return new byte[2];
                })));

        text.read(2, new byte[1]);
        text.read(3, new byte[1]);

        assertEquals(List.of("b"), reads);
    }

    @Test
    void reading_past_the_end_is_refused() {
        assertEquals(
                "text: 3 bytes from 1 on, but there are 3",
                assertThrows(IndexOutOfBoundsException.class, () -> text(List.of(new byte[3])).read(1, new byte[3]))
                        .getMessage());
    }

    @Test
    void a_file_that_changed_its_size_is_noticed() {
        Text text = new Text(List.of(new Text.Part("log", 2, () -> new byte[3])));

        assertEquals(
                "text: log had 2 bytes and now has 3; a text must not change while it is read",
                assertThrows(UserError.class, () -> text.read(0, new byte[1])).getMessage());
    }

    @Test
    void the_fingerprint_knows_names_sizes_and_order() {
        Text.Part a = new Text.Part("a", 1, () -> "x".getBytes(UTF_8));
        Text.Part b = new Text.Part("b", 2, () -> "yz".getBytes(UTF_8));

        assertEquals(new Text(List.of(a, b)).fingerprint(), new Text(List.of(a, b)).fingerprint());
        assertNotEquals(new Text(List.of(a, b)).fingerprint(), new Text(List.of(b, a)).fingerprint());
        assertNotEquals(new Text(List.of(a)).fingerprint(), new Text(List.of(a, b)).fingerprint());
    }

    private static Text text(List<byte[]> files) {
        List<Text.Part> parts = new ArrayList<>();
        for (byte[] file : files) {
            parts.add(new Text.Part("file " + parts.size(), file.length, () -> file));
        }
        return new Text(parts);
    }

    private static byte[] joined(List<byte[]> files) {
        byte[] joined = new byte[files.stream().mapToInt(file -> file.length).sum()];
        int at = 0;
        for (byte[] file : files) {
            System.arraycopy(file, 0, joined, at, file.length);
            at += file.length;
        }
        return joined;
    }
}
