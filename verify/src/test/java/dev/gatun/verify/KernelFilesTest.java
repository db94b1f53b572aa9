package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.bindings.cuda.PtxEntry;
import dev.gatun.layers.io.Json;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The kernels in the repository: sources, the text made of them, and the manifest beside them belong together. */
class KernelFilesTest {

    private static final Map<String, List<String>> HEADERS =
            Map.of("70", List.of(".version 6.0", ".target sm_70"), "80", List.of(".version 7.0", ".target sm_80"));

    private static final Map<String, String> COMPILED_FOR = Map.of("70", "compute_75", "80", "compute_80");

    /** What the kernels may use: the list that an emulated device must know. */
    private static final Set<String> OPCODES = Set.of(
            "mov", "ld", "st", "cvta", "isspacep", "selp", "prmt", "shfl", "ldmatrix", "cp",
            "add", "sub", "mul", "mad", "div", "rem", "min", "max", "neg", "abs", "and", "or", "xor", "not", "shl", "shr", "shf",
            "bfe", "bfi", "popc", "clz", "brev", "lop3", "dp4a", "sad", "fma", "rcp", "sqrt", "rsqrt", "copysign", "ex2", "lg2", "sin",
            "cos", "tanh", "cvt", "setp", "bra", "ret", "exit", "trap", "bar", "barrier", "vote", "activemask", "match", "redux",
            "membar", "fence", "atom", "red", "mma");

    /** Static shared memory that every device has for a block. */
    private static final long MOST_SHARED = 48 << 10;

    @TempDir
    private Path folder;

    /** A source and what the manifest says of it. */
    private record Source(Path path, Map<?, ?> manifest, String nvcc) {

        Path ptx(String tier) {
            return path.resolveSibling(path.getFileName().toString().replace(".cu", ".sm" + tier + ".ptx"));
        }

        Map<?, ?> tier(String tier) {
            return (Map<?, ?>) ((Map<?, ?>) manifest.get("tiers")).get(tier);
        }
    }

    private static List<Source> sources() throws IOException {
        List<Source> sources = new ArrayList<>();
        for (Path root : List.of(Path.of("../engine/src/main/resources"), Path.of("../ops/src/main/resources"))) {
            assumeTrue(Files.isDirectory(root), "the sources are not here: " + root.toAbsolutePath());
            try (Stream<Path> files = Files.walk(root)) {
                for (Path file : files.filter(path -> path.toString().endsWith(".cu")).sorted().toList()) {
                    Map<?, ?> json = (Map<?, ?>) Json.parse(Files.readString(file.resolveSibling("kernels.json")));
                    sources.add(new Source(file, (Map<?, ?>) json.get(file.getFileName().toString()), (String) json.get("nvcc")));
                }
            }
        }
        return sources;
    }

    private interface Check {
        void of(Source source, String tier) throws Exception;
    }

    private static Stream<DynamicTest> each(Check check) throws IOException {
        return sources().stream().flatMap(source -> HEADERS.keySet().stream().sorted().map(tier -> DynamicTest.dynamicTest(
                source.path.getFileName() + " sm_" + tier, () -> check.of(source, tier))));
    }

    @TestFactory
    Stream<DynamicTest> the_manifest_has_the_hashes_of_source_and_text() throws IOException {
        return each((source, tier) -> {
            assertEquals(hash(source.path), source.manifest.get("sha256"), "the source was changed; compile the kernels again");
            assertEquals(hash(source.ptx(tier)), source.tier(tier).get("sha256"));
        });
    }

    private static String hash(Path file) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
    }

    @TestFactory
    Stream<DynamicTest> a_text_begins_as_its_tier_does() throws IOException {
        return each((source, tier) -> assertEquals(
                HEADERS.get(tier), Files.readAllLines(source.ptx(tier)).stream().filter(line -> !line.isBlank()).limit(2).toList()));
    }

    @TestFactory
    Stream<DynamicTest> kernels_and_parameters_are_those_of_the_manifest() throws IOException {
        return each((source, tier) -> {
            Map<?, ?> kernels = (Map<?, ?>) source.tier(tier).get("kernels");
            List<PtxEntry> entries = PtxEntry.all(Files.readString(source.ptx(tier)));
            assertEquals(kernels.keySet(), entries.stream().map(PtxEntry::name).collect(Collectors.toSet()));
            for (PtxEntry entry : entries) {
                List<List<?>> declared = entry.parameters().stream()
                        .<List<?>>map(p -> List.of(p.type(), (long) p.bytes(), (long) p.offset())).toList();
                assertEquals(((Map<?, ?>) kernels.get(entry.name())).get("parameters"), declared, entry.name());
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> kernels_keep_to_the_opcodes_and_memory_that_every_device_has() throws IOException {
        return each((source, tier) -> {
            for (Object opcode : (List<?>) source.tier(tier).get("opcodes")) {
                assertTrue(OPCODES.contains(opcode.toString().split("\\.")[0]), opcode.toString());
            }
            ((Map<?, ?>) source.tier(tier).get("kernels")).forEach((name, kernel) ->
                    assertTrue((long) ((Map<?, ?>) kernel).get("sharedBytes") <= MOST_SHARED, name.toString()));
        });
    }

    @TestFactory
    Stream<DynamicTest> products_and_attention_spill_no_registers() throws IOException {
        return each((source, tier) -> ((Map<?, ?>) source.tier(tier).get("kernels")).forEach((name, kernel) -> {
            if (name.toString().startsWith("product") || name.toString().startsWith("attention")) {
                ((Map<?, ?>) ((Map<?, ?>) kernel).get("registersAndSpills")).forEach((architecture, use) ->
                        assertEquals(0L, ((List<?>) use).get(1), name + " on " + architecture));
            }
        }));
    }

    @TestFactory
    Stream<DynamicTest> the_compiler_still_makes_the_same_text() throws IOException {
        return each((source, tier) -> {
            String release = release();
            assumeTrue(release != null, "nvcc is not on the PATH");
            assumeTrue(release.contains(source.nvcc), "nvcc is another one than " + source.nvcc);
            Path made = folder.resolve("made.ptx");
            Process nvcc = new ProcessBuilder("nvcc", "-arch=" + COMPILED_FOR.get(tier), "-O3", "-std=c++17", "-ptx",
                    "-I../native-bindings/src/main/cuda", "-o", made.toString(), source.path.toString()).redirectErrorStream(true).start();
            String said = new String(nvcc.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(0, nvcc.waitFor(), said);
            assertEquals(body(source.ptx(tier)), body(made));
        });
    }

    /** The text behind the header, without comments. */
    private static List<String> body(Path ptx) throws IOException {
        return Files.readAllLines(ptx).stream().map(String::stripTrailing)
                .filter(line -> !line.startsWith("//") && !line.startsWith(".version") && !line.startsWith(".target"))
                .dropWhile(String::isEmpty).toList();
    }

    private static String release() throws IOException {
        boolean there = Stream.of(System.getenv("PATH").split(File.pathSeparator)).anyMatch(path -> Files.isExecutable(Path.of(path, "nvcc")));
        return there ? new String(new ProcessBuilder("nvcc", "--version").start().getInputStream().readAllBytes(), StandardCharsets.UTF_8) : null;
    }
}
