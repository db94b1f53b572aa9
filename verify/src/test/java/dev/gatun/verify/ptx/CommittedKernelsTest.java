package dev.gatun.verify.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;

/** Every kernel in the repository is one that the emulated device takes, whole. */
@Tag("once")
class CommittedKernelsTest {

    @TestFactory
    Stream<DynamicTest> every_committed_text_is_understood() throws IOException {
        List<Path> texts = new ArrayList<>();
        for (Path root : List.of(Path.of("../engine/src/main/resources"), Path.of("../ops/src/main/resources"))) {
            assumeTrue(Files.isDirectory(root), "the sources are not here: " + root.toAbsolutePath());
            try (Stream<Path> files = Files.walk(root)) {
                files.filter(file -> file.toString().endsWith(".ptx")).sorted().forEach(texts::add);
            }
        }
        return texts.stream().map(file -> DynamicTest.dynamicTest(file.getFileName().toString(), () -> {
            PtxModule module = PtxModule.of(Files.readString(file));
            assertEquals(file.toString().contains("sm80") ? 80 : 70, module.target());
            assertEquals(Files.readAllLines(file).stream().filter(line -> line.startsWith(".visible .entry")).count(), module.kernels().size());
        }));
    }
}
