package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CorpusTest {

    @TempDir
    Path folder;

    @BeforeEach
    void write() throws IOException {
        for (int i = 0; i < 100; i++) {
            Path file = folder.resolve("part" + i % 7).resolve("file" + i + ".txt");
            Files.createDirectories(file.getParent());
            Files.writeString(file, "%02d".formatted(i).repeat(50));
        }
    }

    @Test
    void every_file_is_in_exactly_one_of_both_texts() {
        Corpus corpus = Corpus.of(folder, 1);
        Set<String> seen = hundreds(corpus.training());
        Set<String> held = hundreds(corpus.heldOut());

        assertEquals(95, seen.size());
        assertEquals(5, held.size());
        seen.retainAll(held);
        assertEquals(Set.of(), seen);
    }

    @Test
    void a_seed_decides_the_cut() {
        assertEquals(Corpus.of(folder, 1).fingerprint(), Corpus.of(folder, 1).fingerprint());
        assertNotEquals(hundreds(Corpus.of(folder, 1).heldOut()), hundreds(Corpus.of(folder, 2).heldOut()));
    }

    @Test
    void hidden_binary_and_empty_files_are_no_text() throws IOException {
        String before = Corpus.of(folder, 1).fingerprint();
        Files.createDirectories(folder.resolve(".git"));
        Files.writeString(folder.resolve(".git/config"), "hidden");
        Files.writeString(folder.resolve(".hidden"), "hidden");
        Files.write(folder.resolve("picture.png"), new byte[] {1, 0, 2});
        Files.createFile(folder.resolve("empty.txt"));

        assertEquals(before, Corpus.of(folder, 1).fingerprint());
    }

    @Test
    void the_end_of_a_single_file_is_held_out() throws IOException {
        Path file = Files.writeString(folder.resolve("one.txt"), "0123456789abcdefghij");
        Corpus corpus = Corpus.of(file, 1);

        assertEquals("0123456789abcdefgh", new String(corpus.training().head(100), ISO_8859_1));
        assertEquals("ij", new String(corpus.heldOut().head(100), ISO_8859_1));
    }

    @Test
    void of_two_files_one_is_held_out() throws IOException {
        Path two = Files.createDirectory(folder.resolve("two"));
        Files.writeString(two.resolve("a"), "a");
        Files.writeString(two.resolve("b"), "bb");
        Corpus corpus = Corpus.of(two, 1);

        assertEquals(1, corpus.training().files());
        assertEquals(1, corpus.heldOut().files());
    }

    @Test
    void a_text_that_cannot_be_used_is_one_clear_line() throws IOException {
        Path nothing = folder.resolve("nothing");
        Path empty = Files.createFile(folder.resolve("empty"));
        Path bare = Files.createDirectory(folder.resolve("bare"));
        Path brief = Files.writeString(folder.resolve("brief"), "x".repeat(100));

        assertRefused("--text: " + nothing + " does not exist", () -> Corpus.of(nothing, 1));
        assertRefused("--text: " + empty + " is empty", () -> Corpus.of(empty, 1));
        assertRefused("--text: no text file below " + bare, () -> Corpus.of(bare, 1));
        assertRefused(
                "--text: too short: 90 bytes to learn from and 10 held out, but --context 64 needs 65 in each",
                () -> Corpus.of(brief, 1).requireWindow(64));
    }

    @Test
    void the_java_files_of_java_base_are_taken_from_the_jdk() throws IOException {
        Path sources = Files.createDirectories(folder.resolve("jdk/lib")).resolve("src.zip");
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(sources))) {
            for (String name : new String[] {"java.base/A.java", "java.base/B.java", "java.base/C.txt", "jdk.net/D.java"}) {
                zip.putNextEntry(new ZipEntry(name));
                zip.write(name.getBytes(ISO_8859_1));
            }
        }
        Corpus corpus = Corpus.ofJdk(folder.resolve("jdk"), 1);

        assertEquals(
                Set.of("java.base/A.java", "java.base/B.java"),
                Set.of(
                        new String(corpus.training().head(100), ISO_8859_1),
                        new String(corpus.heldOut().head(100), ISO_8859_1)));
    }

    @Test
    void the_running_jdk_has_sources_enough() {
        Path home = Path.of(System.getProperty("java.home"));
        assumeTrue(Files.exists(home.resolve("lib/src.zip")), "this JDK has no lib/src.zip");
        Corpus corpus = Corpus.ofJdk(home, 1);

        assertTrue(corpus.training().bytes() > 20_000_000, corpus.describe());
        assertTrue(corpus.heldOut().bytes() > 1_000_000, corpus.describe());
    }

    @Test
    void a_jdk_without_sources_is_said_and_our_own_are_taken() {
        Corpus corpus = Corpus.ofJdk(folder, 1);

        assertEquals(
                "Gatun's own sources (this JDK has no lib/src.zip; using Gatun's own sources, which are few)",
                corpus.origin());
        assertTrue(corpus.training().bytes() > 10_000, corpus.describe());
    }

    /** The distinct files of a text, by the two digits that each consists of. */
    private static Set<String> hundreds(Text text) {
        Set<String> names = new HashSet<>();
        for (int i = 0; i < text.bytes(); i += 100) {
            byte[] name = new byte[2];
            text.read(i, name);
            names.add(new String(name, ISO_8859_1));
        }
        return names;
    }

    private static void assertRefused(String message, Runnable work) {
        assertEquals(message, assertThrows(UserError.class, work::run).getMessage());
    }
}
