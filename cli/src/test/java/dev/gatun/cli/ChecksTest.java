package dev.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.io.Safetensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that check something: what they print, and the exit code. */
class ChecksTest {

    private static final Path VECTORS = Path.of("../verify/src/test/resources/golden/ops");

    @TempDir
    Path folder;

    private List<String> output;
    private String error;

    private int gatun(String... args) {
        PrintStream before = System.out;
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        System.setOut(new PrintStream(out, true, UTF_8));
        try {
            return Main.execute(new PrintStream(err, true, UTF_8), args);
        } finally {
            System.setOut(before);
            output = out.toString(UTF_8).lines().toList();
            error = err.toString(UTF_8).strip();
        }
    }

    @Test
    void vectors_that_are_met_have_a_line_each_and_exit_code_zero() throws IOException {
        for (String name : List.of("embedding.safetensors", "rms_norm.safetensors")) {
            Files.copy(VECTORS.resolve(name), folder.resolve(name));
        }

        assertEquals(0, gatun("golden", folder.toString(), "--dtype", "f32"), error);
        assertEquals(3, output.size());
        assertTrue(output.get(0).startsWith("embedding.safetensors "), output.get(0));
        assertTrue(output.get(1).startsWith("rms_norm.safetensors "), output.get(1));
        assertEquals("2 passed, 0 failed", output.get(2));
    }

    @Test
    void a_case_that_nobody_knows_is_a_failure() throws IOException {
        Safetensors.write(
                folder.resolve("odd.safetensors"), Map.of("in.x", Tensor.of(DType.F64, 1.0)), Map.of("layer", "perceptron"));

        assertEquals(1, gatun("golden", folder.toString()));
        assertTrue(output.getFirst().endsWith("FAILED: unknown layer \"perceptron\""), output.getFirst());
        assertEquals("0 passed, 1 failed", output.getLast());
    }

    @Test
    void what_golden_cannot_use_is_said() {
        assertEquals(2, gatun("golden", "/no/such/folder"));
        assertEquals("gatun golden: /no/such/folder does not exist", error);
        assertEquals(2, gatun("golden", folder.toString(), "--backend", "abacus"));
        assertEquals(
                "gatun golden: --backend: there is no \"abacus\"; there are vector, scalar, reference, onednn", error);
    }

    @Test
    void gradients_of_an_op_are_checked_at_its_samples() {
        assertEquals(0, gatun("gradcheck", "sigmoid"), error);
        assertTrue(output.getLast().matches("[1-9]\\d* passed, 0 failed"), output.getLast());
        assertEquals(2, gatun("gradcheck", "no-such-op"));
        assertEquals("gatun gradcheck: no op with a gradient has \"no-such-op\" in its name", error);
    }

    @Test
    void benchmarks_can_be_listed() {
        assertEquals(0, gatun("bench", "-l"), error);
        assertTrue(output.stream().anyMatch(line -> line.startsWith("dev.gatun.bench.")), output.toString());
    }

    @Test
    void doctor_names_the_machine_and_what_computes() {
        assertEquals(0, gatun("doctor"), error);
        assertEquals(
                List.of("processor", "cores", "system", "java", "threads", "vectors", "kernels", "backends", "onednn", "winners", "cuda"),
                output.stream().map(line -> line.split(" ")[0]).toList());
    }
}
