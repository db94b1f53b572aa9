package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.bindings.onednn.OneDnn;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What every sample of every op promises about its numbers. */
class OpsTest {

    private static final Key KEY = Key.of(7);

    @Test
    void every_op_has_samples() {
        assertEquals(List.of(), Ours.CATALOGUE.problems());
        assertTrue(Ours.CATALOGUE.entries().size() > 40, "the engine's algebra alone is more");
    }

    @Tag("once")
    @TestFactory
    Stream<DynamicTest> the_shape_rule_says_what_the_reference_makes() {
        return Ours.each(sample -> {
            for (DType dtype : List.of(DType.F32, DType.F64)) {
                try (Scope scope = Scope.open("test"); Backend.Narrowed reference = Backend.only(Backend.REFERENCE)) {
                    List<Tensor> inputs = Samples.tensors(sample, dtype, KEY);
                    List<Tensor> outputs = sample.op().applyAll(inputs.toArray(Tensor[]::new));
                    assertEquals(outputs.stream().map(Tensor::spec).toList(), Ours.inferred(sample, inputs));
                }
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> every_backend_agrees_with_the_reference() {
        return Ours.each(sample -> {
            for (DType dtype : List.of(DType.F32, DType.F64)) {
                try (Scope scope = Scope.open("test")) {
                    Parity parity = Parity.of(sample, dtype, KEY);
                    for (Backend backend : backends(sample)) {
                        parity.run(backend).assertOk();
                    }
                    if (sample.op() instanceof Composed composed) {
                        Tensor[] inputs = Samples.tensors(sample, dtype, KEY).toArray(Tensor[]::new);
                        parity.compare("its composition", composed.compose(inputs)).assertOk();
                    }
                }
            }
        });
    }

    /** Those that the op has kernels for; an op without kernels is computed with others', on all. */
    private static Set<Backend> backends(Sample sample) {
        Set<Backend> backends = EnumSet.noneOf(Backend.class);
        for (Kernel kernel : sample.op().kernels()) {
            backends.add(kernel.backend());
        }
        if (backends.isEmpty()) {
            backends.addAll(List.of(Backend.REFERENCE, Backend.SCALAR, Backend.VECTOR));
        }
        // Kernels of a GPU compute tensors that lie there; GpuSelfTest runs them.
        backends.removeIf(backend -> backend == Backend.CUDA
                || (backend == Backend.ONEDNN ? OneDnn.missing().isPresent() : !backend.on()));
        return backends;
    }

    @TestFactory
    Stream<DynamicTest> strided_shifted_and_repeated_inputs_change_nothing() {
        return Ours.each(sample -> {
            for (DType dtype : Ours.isSmall(sample) ? List.of(DType.F32, DType.F64) : List.of(DType.F32)) {
                try (Scope scope = Scope.open("test")) {
                    List<Tensor> inputs = Samples.tensors(sample, dtype, KEY);
                    Parity same = sample.op() instanceof Elementwise ? null : Parity.of(sample.op(), inputs, sample.slack());
                    for (Layout layout : Layout.values()) {
                        checkViews(sample, layout, layout.of(inputs), same);
                    }
                }
            }
        });
    }

    /** Elementwise ops give the same bits; others may sum in another order. Only repeating changes what the numbers are. */
    private static void checkViews(Sample sample, Layout layout, List<Tensor> views, Parity same) {
        List<Tensor> dense = views.stream().map(Tensor::contiguous).toList();
        List<Tensor> outputs = onViews(sample, views);
        if (sample.op() instanceof Elementwise) {
            assertSameBits(sample.op().applyAll(dense.toArray(Tensor[]::new)), outputs, layout.toString());
        } else {
            Parity parity = layout == Layout.REPEATED ? Parity.of(sample.op(), dense, sample.slack()) : same;
            parity.compare("inputs that are " + layout, outputs).assertOk();
        }
    }

    /** A reshape of strides that cannot say it is refused, and the user's function copies then. */
    private static List<Tensor> onViews(Sample sample, List<Tensor> views) {
        if (sample.op() instanceof dev.gatun.engine.algebra.Views.Reshape reshape) {
            return List.of(views.getFirst().reshape(reshape.shape()));
        }
        return sample.op().applyAll(views.toArray(Tensor[]::new));
    }

    @TestFactory
    Stream<DynamicTest> what_a_block_held_before_changes_nothing() {
        return Ours.each(sample -> {
            for (DType dtype : List.of(DType.F32, DType.F64)) {
                try (Scope scope = Scope.open("test")) {
                    Tensor[] inputs = Samples.tensors(sample, dtype, KEY).toArray(Tensor[]::new);
                    List<Tensor> plain = sample.op().applyAll(inputs);
                    HostPool.shared().poison(true);
                    try {
                        assertSameBits(plain, sample.op().applyAll(inputs), "poisoned memory");
                    } finally {
                        HostPool.shared().poison(Boolean.getBoolean("gatun.poison"));
                    }
                }
            }
        });
    }

    static void assertSameBits(List<Tensor> expected, List<Tensor> found, String where) {
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < expected.size(); i++) {
            assertEquals(expected.get(i).spec(), found.get(i).spec());
            double[] a = expected.get(i).toDoubles();
            double[] b = found.get(i).toDoubles();
            if (!Arrays.equals(a, b)) { // compares bits, with one NaN
                List<String> lines = new ArrayList<>();
                for (int j = 0; j < a.length && lines.size() < 5; j++) {
                    if (Double.compare(a[j], b[j]) != 0) {
                        lines.add("element " + j + ": " + a[j] + " and " + b[j]);
                    }
                }
                throw new AssertionError("output " + i + " has other bits with " + where + ": " + lines);
            }
        }
    }
}
