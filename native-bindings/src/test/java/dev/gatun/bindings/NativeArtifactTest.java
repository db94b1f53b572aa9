package dev.gatun.bindings;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeArtifactTest {

    private static final List<String> FILES = List.of("liba.so", "libneeded.so", "libmaybe.so");

    @TempDir
    private Path folder;

    private Path cache;
    private byte[] library;
    private URLClassLoader loader;

    @BeforeEach
    void make() throws IOException {
        cache = folder.resolve("cache");
        library = new byte[300_000];
        new Random(1).nextBytes(library);
        Path jar = folder.resolve("made-up.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new JarEntry("a/b-c/liba.so"));
            out.write(library);
            out.putNextEntry(new JarEntry("a/b-c/libneeded.so"));
            out.write(7);
        }
        loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null);
    }

    @AfterEach
    void close() throws IOException {
        loader.close();
    }

    private Path unpacked() throws IOException {
        return NativeArtifact.unpacked(loader, "made-up", "a/b-c/", FILES, cache).orElseThrow();
    }

    @Test
    void no_jar_means_no_path() throws IOException {
        assertEquals(Optional.empty(), NativeArtifact.unpacked(loader, "made-up", "a/other/", FILES, cache));
    }

    @Test
    void the_files_come_out_as_they_went_in() throws IOException {
        Path file = unpacked();

        assertArrayEquals(library, Files.readAllBytes(file));
        assertArrayEquals(new byte[] {7}, Files.readAllBytes(file.resolveSibling("libneeded.so")));
    }

    @Test
    void a_file_that_is_right_is_left_alone() throws IOException {
        Path file = unpacked();
        var first = Files.getLastModifiedTime(file);
        Object key = Files.readAttributes(file, java.nio.file.attribute.BasicFileAttributes.class).fileKey();

        unpacked();

        assertEquals(first, Files.getLastModifiedTime(file));
        assertEquals(key, Files.readAttributes(file, java.nio.file.attribute.BasicFileAttributes.class).fileKey());
    }

    @Test
    void a_damaged_file_is_written_anew() throws IOException {
        Path file = unpacked();
        byte[] damaged = library.clone();
        damaged[1234] ^= 1;
        Files.write(file, damaged);

        assertArrayEquals(library, Files.readAllBytes(unpacked()));
    }

    @Test
    void starts_at_the_same_moment_all_find_whole_files() throws Exception {
        try (ExecutorService starts = Executors.newFixedThreadPool(8)) {
            List<Callable<byte[]>> calls = new ArrayList<>();
            for (int i = 0; i < 16; i++) {
                calls.add(() -> Files.readAllBytes(unpacked()));
            }
            for (Future<byte[]> read : starts.invokeAll(calls)) {
                assertArrayEquals(library, read.get());
            }
        }
        try (Stream<Path> left = Files.list(unpacked().getParent())) {
            assertEquals(new HashSet<>(List.of("liba.so", "libneeded.so")),
                    new HashSet<>(left.map(path -> path.getFileName().toString()).toList()));
        }
    }
}
