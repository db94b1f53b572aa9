package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.io.Safetensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The golden vectors in the repository, as {@code gatun golden} runs them. */
class GoldenTest {

    private static final Path FOLDER = Path.of("src/test/resources/golden");

    @TestFactory
    Stream<DynamicTest> every_vector_is_met_in_f64() throws IOException {
        return vectors(DType.F64);
    }

    @TestFactory
    Stream<DynamicTest> every_vector_is_met_in_f32() throws IOException {
        return vectors(DType.F32);
    }

    @TestFactory
    Stream<DynamicTest> every_vector_is_met_by_each_backend_alone() throws IOException {
        Stream<DynamicTest> tests = Stream.of();
        for (Backend backend : List.of(Backend.REFERENCE, Backend.SCALAR, Backend.VECTOR)) {
            tests = backend.on() ? Stream.concat(tests, vectors(DType.F32, backend)) : tests;
        }
        return tests;
    }

    private static Stream<DynamicTest> vectors(DType dtype, Backend... on) throws IOException {
        List<Golden.Result> results = Golden.run(FOLDER, dtype, result -> { }, on).results();
        assertTrue(results.size() >= 62, "only " + results.size() + " vectors were found");
        return results.stream().map(result -> DynamicTest.dynamicTest(result.name() + " " + dtype + " " + List.of(on),
                () -> assertEquals("", result.problem())));
    }

    @Test
    void a_case_prints_as_one_line_and_all_of_them_as_two_numbers() throws IOException {
        List<String> lines = new ArrayList<>();
        Golden.Report report = Golden.run(FOLDER.resolve("ops/embedding.safetensors"), DType.F64, result -> lines.add(result.toString()));
        assertEquals(1, lines.size());
        assertTrue(lines.getFirst().matches(
                "embedding.safetensors +outputs \\d\\.\\de-\\d+  states    -     gradients \\d\\.\\de[+-]\\d+  passed"), lines.getFirst());
        assertEquals("1 passed, 0 failed", report.toString());
    }

    @Test
    void a_wrong_number_a_missing_result_and_an_unknown_layer_fail_with_the_reason(@TempDir Path temp) throws IOException {
        Tensor x = Tensor.of(DType.F64, Shape.of(2), 0.5, -1);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("in.x", x);
        tensors.put("out.y", x.sigmoid().add(1e-6));
        Safetensors.write(temp.resolve("a.safetensors"), tensors, metadata("ops", "sigmoid", "{\"op\":\"sigmoid\"}"));
        tensors.put("out.y", x.sigmoid());
        tensors.put("out.z", x);
        Safetensors.write(temp.resolve("b.safetensors"), tensors, metadata("ops", "sigmoid", "{\"op\":\"sigmoid\"}"));
        Safetensors.write(temp.resolve("c.safetensors"), tensors, metadata("telepathy", "basic", "{}"));
        Safetensors.write(temp.resolve("d.safetensors"), tensors, metadata("ops", "zeta", "{}"));
        Files.write(temp.resolve("e.safetensors"), new byte[4]);

        Golden.Report report = Golden.run(temp, DType.F64, result -> { });
        List<String> problems = report.results().stream().map(Golden.Result::problem).toList();
        assertEquals("0 passed, 5 failed", report.toString());
        assertTrue(problems.get(0).matches("out\\.y is \\S+ at \\d instead of \\S+, off by 1\\.00e-06 where 6\\.22e-10 is allowed"), problems.get(0));
        assertEquals("out.z was not computed", problems.get(1));
        assertEquals("unknown layer \"telepathy\"", problems.get(2));
        assertEquals("unknown case \"zeta\" and no op in its config", problems.get(3));
        assertEquals("safetensors: the file has 4 bytes, the length of its header alone takes 8\n  file: " + temp.resolve("e.safetensors"),
                problems.get(4));
    }

    @Test
    void minus_infinity_must_be_met_exactly_and_bounds_of_the_file_count(@TempDir Path temp) throws IOException {
        double inf = Double.NEGATIVE_INFINITY;
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        tensors.put("in.x", Tensor.of(DType.F64, Shape.of(2, 2), inf, inf, 0, 0));
        tensors.put("out.y", Tensor.of(DType.F64, Shape.of(2), inf, Math.log(2) + 1e-3));
        Map<String, String> metadata = metadata("ops", "logsumexp", "{\"op\":\"logsumexp\"}");
        Safetensors.write(temp.resolve("a.safetensors"), tensors, metadata);
        metadata.put("atol_f64_by_tensor", "{\"out.y\":0.002}");
        Safetensors.write(temp.resolve("b.safetensors"), tensors, metadata);
        tensors.put("out.y", Tensor.of(DType.F64, Shape.of(2), -1e300, Math.log(2)));
        Safetensors.write(temp.resolve("c.safetensors"), tensors, metadata);

        List<Golden.Result> results = Golden.run(temp, DType.F64, result -> { }).results();
        assertTrue(results.get(0).problem().startsWith("out.y is 0.693"), results.get(0).problem());
        assertEquals("", results.get(1).problem());
        assertTrue(results.get(2).problem().startsWith("out.y is -Infinity at 0"), results.get(2).problem());
    }

    @Test
    void a_folder_without_vectors_is_an_error(@TempDir Path temp) {
        IOException error = assertThrows(IOException.class, () -> Golden.run(temp, DType.F64, result -> { }));
        assertEquals("golden: no .safetensors file below " + temp, error.getMessage());
        IllegalArgumentException wrong = assertThrows(IllegalArgumentException.class, () -> Golden.run(FOLDER, DType.BF16, result -> { }));
        assertEquals("golden: vectors are compared in f64 or f32, not bf16", wrong.getMessage());
    }

    private static Map<String, String> metadata(String layer, String name, String config) {
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("layer", layer);
        metadata.put("case", name);
        metadata.put("config", config);
        return metadata;
    }
}
