package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class ParityTest {

    private static final Sample SUM = Sample.of(new ExampleOps.HastySum(), Shape.of(4));

    @Test
    void a_kernel_that_leaves_something_out_is_named_with_both_numbers() {
        List<Tensor> ones = List.of(Tensor.ones(DType.F32, Shape.of(4)));
        Parity parity = Parity.of(SUM.op(), ones, 1);
        assertTrue(parity.run(Backend.REFERENCE).ok());
        AssertionError error = assertThrows(AssertionError.class, parity.run(Backend.SCALAR)::assertOk);
        assertEquals("HastySum[] on scalar: output 0, element 0 is 3.0, the reference says 4.0; off by 1.00, allowed are 4.29e-06",
                error.getMessage());
    }

    @Test
    void the_tolerance_is_a_few_units_of_the_largest_term() {
        // Terms of 1e6 whose sum is 1: a float sum may be off by some units of 1e6, which are 0.06 each.
        List<Tensor> cancelling = List.of(Tensor.of(DType.F32, 1e6, -1e6, 1, 0));
        double allowed = Parity.of(SUM.op(), cancelling, 1).run(Backend.REFERENCE).tolerance();
        assertTrue(allowed > 0.06 && allowed < 1, "allowed are " + allowed);
        double exact = Parity.of(SUM.op(), List.of(Tensor.of(DType.F32, 1, 1, 1, 1)), 1).run(Backend.REFERENCE).tolerance();
        assertTrue(exact < 16 * 4 * 0x1p-23, "allowed are " + exact);
    }

    @Test
    void infinities_and_nan_must_be_equal() {
        Parity parity = Parity.of(new ExampleOps.Cube(), List.of(Tensor.of(DType.F64, 1, Double.POSITIVE_INFINITY, Double.NaN)), 1);
        assertTrue(parity.compare("me", List.of(Tensor.of(DType.F64, 1, Double.POSITIVE_INFINITY, Double.NaN))).ok());
        assertFalse(parity.compare("me", List.of(Tensor.of(DType.F64, 1, Double.NaN, Double.NaN))).ok());
        assertFalse(parity.compare("me", List.of(Tensor.of(DType.F64, 1, Double.POSITIVE_INFINITY, 0))).ok());
    }

    @Test
    void samples_give_the_same_numbers_in_both_dtypes_and_for_ever() {
        Sample sample = Sample.of(new ExampleOps.Cube(), Shape.of(3)).range(0, 1, 2);
        Tensor wide = Samples.tensors(sample, DType.F64, Key.of(1)).getFirst();
        assertEquals(wide.to(DType.F32).toString(), Samples.tensors(sample, DType.F32, Key.of(1)).getFirst().toString());
        assertTrue(wide.get(0) >= 1 && wide.get(0) < 2);
    }

    @Test
    void resizing_keeps_axes_of_one_size_together_and_indices_inside() {
        Sample gather = Sample.of(new dev.gatun.engine.algebra.Indexing.Gather(1), Shape.of(3, 5), Shape.of(3, 2)).integers(1, 0, 5);
        Sample resized = Samples.resized(gather, 5, 9);
        assertEquals("Gather[axis=1] [3, 9] [3, 2]", resized.toString());
        assertEquals(9, resized.inputs().get(1).to());
        assertEquals("Gather[axis=1] [1, 5] [1, 2]", Samples.resized(gather, 3, 1).toString());
    }
}
