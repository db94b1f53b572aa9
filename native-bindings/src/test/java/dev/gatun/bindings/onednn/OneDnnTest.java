package dev.gatun.bindings.onednn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is said when the library is not there or not the right one; all files and functions here are made up. */
class OneDnnTest {

    private static final int X86_64 = 62;
    private static final int AARCH64 = 183;

    @TempDir
    private Path folder;

    private String before;

    @BeforeEach
    void remember() {
        before = System.getProperty(OneDnn.PROPERTY);
        System.clearProperty(OneDnn.PROPERTY);
    }

    @AfterEach
    void restore() {
        if (before == null) {
            System.clearProperty(OneDnn.PROPERTY);
        } else {
            System.setProperty(OneDnn.PROPERTY, before);
        }
    }

    @Test
    void a_path_to_nothing_is_named() {
        Path file = folder.resolve("libdnnl.so.3");

        assertEquals("oneDNN: cannot load " + file + ", which does not exist (from -Dgatun.onednn)", given(file));
    }

    @Test
    void a_folder_is_searched_for_the_library() {
        assumeLinux();
        assertEquals(
                "oneDNN: cannot load " + folder.resolve("libdnnl.so.3") + ", which does not exist or "
                        + folder.resolve("libdnnl.so") + ", which does not exist (from -Dgatun.onednn)",
                given(folder));
    }

    @Test
    void a_file_that_is_no_library_is_named() throws Exception {
        assumeLinux();
        Path file = Files.writeString(folder.resolve("libdnnl.so.3"), "#!/bin/sh\necho this is a script\n");

        assertEquals("oneDNN: cannot load " + file + ", which is no shared library (from -Dgatun.onednn)", given(file));
    }

    @Test
    void a_file_that_cannot_be_read_is_named() {
        // No page lies at address 0, so reading the process's own memory from its start fails, for root as well.
        Path file = Path.of("/proc/self/mem");
        assumeTrue(Files.exists(file), "there is no " + file + " on this system");

        assertEquals("oneDNN: cannot load " + file + ", which cannot be read (from -Dgatun.onednn)", given(file));
    }

    @Test
    void a_library_for_another_processor_is_named() throws Exception {
        assumeLinux();
        boolean x86 = System.getProperty("os.arch").equals("amd64");
        Path file = Files.write(folder.resolve("libdnnl.so.3"), header(x86 ? AARCH64 : X86_64));

        assertEquals(
                "oneDNN: cannot load " + file + ", which is for " + (x86 ? "aarch64 and not for x86_64" : "x86_64 and not for aarch64")
                        + " (from -Dgatun.onednn)",
                given(file));
    }

    @Test
    void a_library_that_the_loader_refuses_is_named() throws Exception {
        assumeLinux();
        Path file = Files.write(folder.resolve("libdnnl.so.3"),
                header(System.getProperty("os.arch").equals("amd64") ? X86_64 : AARCH64));

        assertEquals("oneDNN: cannot load " + file
                + ", which the system's loader refuses; is all there that it needs? (from -Dgatun.onednn)", given(file));
    }

    @Test
    void a_library_without_a_version_is_another_one() {
        assertEquals("oneDNN: libmade.so has no function dnnl_version", reason(name -> Optional.empty()));
    }

    @Test
    void another_major_version_is_refused() throws Exception {
        assertEquals("oneDNN: libmade.so is version 2.7.5, needed is 3.x", reason(version(2, 7, 5, 2)));
    }

    @Test
    void a_build_with_other_threads_is_refused() throws Exception {
        assertEquals("oneDNN: libmade.so has threads of its own (run-time 4); needed is a build with OpenMP or without threads",
                reason(version(3, 8, 1, 4)));
    }

    @Test
    void a_function_that_is_not_there_is_named() throws Exception {
        assertEquals("oneDNN: libmade.so has no function dnnl_engine_create", reason(version(3, 8, 1, 2)));
    }

    @Test
    void an_artifact_is_unpacked_before_the_system_is_asked() throws Exception {
        assumeLinux();
        Path jar = folder.resolve("made-up.jar");
        String platform = System.getProperty("os.arch").equals("amd64") ? "linux-x86_64" : "linux-arm64";
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new JarEntry("org/bytedeco/dnnl/" + platform + "/libdnnl.so.3"));
            out.write("no library".getBytes());
        }
        Path cache = folder.resolve("cache");
        try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null)) {
            OneDnn.Absent absent = assertInstanceOf(OneDnn.Absent.class, OneDnn.look(loader, cache));

            assertTrue(absent.reason().startsWith("oneDNN: cannot load " + cache.resolve("onednn-")), absent.reason());
            assertTrue(absent.reason().contains("libdnnl.so.3, which is no shared library"), absent.reason());
        }
    }

    private static String given(Path path) {
        System.setProperty(OneDnn.PROPERTY, path.toString());
        return assertInstanceOf(OneDnn.Absent.class, OneDnn.look(OneDnnTest.class.getClassLoader(), path)).reason();
    }

    private static String reason(SymbolLookup symbols) {
        return assertInstanceOf(OneDnn.Absent.class, OneDnn.checked("libmade.so", symbols)).reason();
    }

    /** A library that can only say its version and how its threads are made. */
    @SuppressWarnings("restricted")
    private static SymbolLookup version(int major, int minor, int patch, int threads) throws ReflectiveOperationException {
        MemorySegment version = dnnl_version_t.allocate(Arena.global());
        dnnl_version_t.major(version, major);
        dnnl_version_t.minor(version, minor);
        dnnl_version_t.patch(version, patch);
        dnnl_version_t.cpu_runtime(version, threads);
        MemorySegment function = Linker.nativeLinker().upcallStub(
                MethodHandles.constant(MemorySegment.class, version), FunctionDescriptor.of(ValueLayout.ADDRESS), Arena.global());
        return name -> name.equals("dnnl_version") ? Optional.of(function) : Optional.empty();
    }

    /** The start of an ELF file: 64 bits, little-endian, a shared object. */
    private static byte[] header(int machine) {
        return ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN)
                .put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1})
                .putShort(16, (short) 3)
                .putShort(18, (short) machine)
                .array();
    }

    private static void assumeLinux() {
        assumeTrue(System.getProperty("os.name").equals("Linux"), "only files of Linux are looked into");
    }
}
