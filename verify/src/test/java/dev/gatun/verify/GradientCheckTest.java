package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class GradientCheckTest {

    private static final Tensor X = Tensor.of(DType.F64, Shape.of(2, 2), 0.5, -1.5, 2, 0.25);

    @Test
    void a_right_op_passes_at_every_order() {
        GradientCheck.of(new ExampleOps.Cube()).at(X).order(4).assertOk();
    }

    @Test
    void a_wrong_gradient_is_named_with_both_numbers() {
        GradientCheck check = GradientCheck.of(new ExampleOps.WrongCube()).at(Tensor.of(DType.F64, 2)).order(1).seed(5);
        GradientCheck.Finding finding = check.report().findings().getFirst();
        assertEquals(3, finding.numeric() / finding.analytic(), 1e-9);
        AssertionError error = assertThrows(AssertionError.class, check::assertOk);
        assertEquals("WrongCube[]: gradients are wrong (tolerance 1.0e-06, seed 5)\n"
                + "  order 1, x f64[1]: gradient gives " + finding.analytic() + ", differences " + finding.numeric()
                + ", relative error 6.67e-01  <-- wrong", error.getMessage());
    }

    @Test
    void a_rule_that_cannot_be_differentiated_passes_once_and_fails_twice() {
        GradientCheck check = GradientCheck.of(new ExampleOps.CubeOnce()).at(X);
        assertTrue(check.order(1).report().ok());
        List<GradientCheck.Finding> wrong = check.report().findings().stream().filter(finding -> !finding.ok()).toList();
        assertEquals(1, wrong.size());
        assertEquals(2, wrong.getFirst().order());
        assertEquals("x f64[2, 2]", wrong.getFirst().input());
    }

    @Test
    void a_rule_that_drops_the_gradient_it_is_given_fails_twice() {
        GradientCheck check = GradientCheck.of(new ExampleOps.ProductOfFrozenGradient()).at(X, X.add(1));
        assertTrue(check.order(1).report().ok());
        assertEquals(List.of("gradient of output 0"), check.report().findings().stream()
                .filter(finding -> !finding.ok()).map(GradientCheck.Finding::input).toList());
    }

    @Test
    void a_layer_is_checked_with_its_parameters_and_gets_them_back() {
        Tensor weight = Tensor.of(DType.F64, Shape.of(2, 3), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6).track();
        Tensor bias = Tensor.of(DType.F64, 1, 2, 3).track();
        GradientCheck.of(x -> x.matmul(weight).add(bias).tanh()).with(List.of(weight, bias)).at(X).assertOk();
        assertArrayEquals(new double[] {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, weight.toDoubles());
        assertArrayEquals(new double[] {1, 2, 3}, bias.toDoubles());
    }

    @Test
    void a_wrong_gradient_of_a_parameter_is_found() {
        Tensor scale = Tensor.of(DType.F64, 2).track();
        GradientCheck.Report report = GradientCheck.of(x -> x.mul(scale.detach())).with(List.of(scale)).at(X).report();
        assertFalse(report.ok());
        assertEquals("parameter 0 f64[1]", report.findings().stream().filter(f -> !f.ok()).findFirst().orElseThrow().input());
    }

    @Test
    void a_parameter_that_cannot_be_moved_is_refused() {
        Tensor single = Tensor.of(DType.F32, 2).track();
        DTypeException error = assertThrows(DTypeException.class, () -> GradientCheck.of(x -> x).with(List.of(single)));
        assertEquals("gradient check: a parameter must be a contiguous f64 leaf\n  p: f32[1] cpu", error.getMessage());
        Tensor plain = Tensor.of(DType.F64, 2);
        error = assertThrows(DTypeException.class, () -> GradientCheck.of(x -> x).with(List.of(plain)));
        assertEquals("gradient check: a parameter must be a contiguous f64 leaf\n  p: f64[1] cpu, not tracked", error.getMessage());
    }

    @Test
    void kinks_and_whole_numbers_beside_real_ones_are_no_trouble() {
        Tensor index = Tensor.of(Shape.of(2, 1), 1L, 0L);
        GradientCheck.ofAll(in -> List.of(in.get(0).gather(1, in.get(1)), in.get(0).abs().max(0.2))).at(X, index).assertOk();
    }

    @Test
    void differences_find_slopes_to_ten_digits() {
        assertEquals(Math.exp(1), Differences.slope(t -> Math.exp(1 + t), 1e-12), 1e-10);
        assertEquals(1e4, Differences.slope(t -> Math.log(1e-4 + t), 0), 1e-4);
        assertEquals(1, Differences.slope(t -> Math.abs(t + 1e-3), 0), 1e-10);
    }
}
