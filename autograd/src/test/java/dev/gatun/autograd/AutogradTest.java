package dev.gatun.autograd;

import static dev.gatun.autograd.Autograd.differentiableGrad;
import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

class AutogradTest {

    private final Tensor x = Tensor.of(DType.F64, Shape.of(2, 3), 1, -2, 3, 0.5, 5, -6).track();

    @Test
    void the_third_derivative_of_a_fourth_power_is_twenty_four_x() {
        Tensor first = differentiableGrad(x.square().square().sum(), x);
        Tensor second = differentiableGrad(first.sum(), x);
        Tensor third = grad(second.sum(), x);
        assertArrayEquals(x.mul(24).toDoubles(), third.toDoubles(), 1e-9);
    }

    @Test
    void a_plain_gradient_is_not_recorded_and_a_differentiable_one_is() {
        assertFalse(grad(x.square().sum(), x).tracked());
        assertTrue(differentiableGrad(x.square().sum(), x).tracked());
    }

    @Test
    void inner_tensors_have_gradients_and_pass_them_on() {
        Tensor inner = x.mul(3);
        List<Tensor> g = grad(inner.square().sum(), List.of(inner, x));
        assertArrayEquals(x.mul(6).toDoubles(), g.get(0).toDoubles(), 1e-12);
        assertArrayEquals(x.mul(18).toDoubles(), g.get(1).toDoubles(), 1e-12);
    }

    @Test
    void what_y_does_not_depend_on_has_a_gradient_of_zeros() {
        Tensor other = Tensor.of(DType.F64, 1, 2).track();
        assertArrayEquals(new double[2], grad(x.sum(), other).toDoubles());
    }

    @Test
    void repeated_inputs_have_their_gradients_summed() {
        Tensor row = Tensor.of(DType.F64, 1, 2, 3).track();
        assertArrayEquals(new double[] {1.5, 3, -3}, grad(x.detach().mul(row).sum(), row).toDoubles(), 1e-12);
    }

    @Test
    void a_tensor_used_twice_in_one_op_gets_both_shares() {
        assertArrayEquals(x.mul(2).toDoubles(), grad(x.mul(x).sum(), x).toDoubles(), 1e-12);
    }

    @Test
    void an_outer_gradient_flows_through_inner_steps_with_momentum() {
        Tensor t = Tensor.of(DType.F64, 2).track();
        Tensor w = Tensor.of(DType.F64, 0).track();
        Tensor s = Tensor.of(DType.F64, 0);
        for (int step = 0; step < 3; step++) {
            s = s.mul(0.5).sub(differentiableGrad(w.sub(t).square().sum(), w).mul(0.1));
            w = w.add(s);
        }
        // With a = dw/dt and d = ds/dt: d' = 0.5 d + 0.2 (1 - a), a' = a + d' gives a = 0.2, 0.46, 0.698.
        assertEquals(0.698, grad(w.sum(), t).item(), 1e-12);
    }

    @Test
    void a_checkpoint_has_the_same_gradients_and_keeps_its_output_only() {
        Tensor w = Tensor.of(DType.F64, 0.5, 0.25, 2).track();
        Function<Tensor, Tensor> block = in -> in.mul(w).tanh().mul(w).tanh().mul(w).exp();
        List<Tensor> plain = grad(block.apply(x).square().sum(), List.of(x, w));
        List<Tensor> cheap = grad(Checkpoint.of(block).apply(x).square().sum(), List.of(x, w));
        assertArrayEquals(plain.get(0).toDoubles(), cheap.get(0).toDoubles());
        assertArrayEquals(plain.get(1).toDoubles(), cheap.get(1).toDoubles());
        try (Scope step = Scope.open("step")) {
            Tensor y = Checkpoint.of(block).apply(x);
            assertEquals(64, step.bytes(), y.describe());
        }
    }

    @Test
    void a_checkpoint_differentiates_twice() {
        Function<Tensor, Tensor> cube = in -> in.mul(in).mul(in);
        Tensor slope = differentiableGrad(Checkpoint.of(cube).apply(x).sum(), x);
        assertArrayEquals(x.mul(6).toDoubles(), grad(slope.sum(), x).toDoubles(), 1e-12);
    }

    @Test
    void a_sweep_leaves_nothing_but_its_result() {
        try (Scope step = Scope.open("step")) {
            Tensor y = x.exp().mul(x).tanh().matmul(x.transpose()).square().sum();
            long before = step.bytes();
            Tensor g = grad(y, x);
            // The gradient, and the single number 1 that the sweep starts with.
            assertEquals(before + 2 * 64, step.bytes(), g.describe());
        }
    }

    @Test
    void a_result_of_many_numbers_needs_its_own_gradient() {
        assertEquals("""
                grad: y must be a single number, or its own gradient be given
                  y: f64[2, 3] cpu""", assertThrows(ShapeException.class, () -> grad(x.detach(), x)).getMessage());
        assertArrayEquals(x.detach().exp().mul(2).toDoubles(),
                grad(List.of(x.exp()), List.of(Tensor.full(DType.F64, x.shape(), 2)), List.of(x)).getFirst().toDoubles(), 1e-12);
    }

    /** Two tensors joined and doubled: their gradients are views of one block. */
    record Joined() implements Composed {
        @Override
        public List<Spec> infer(Spec... in) {
            return List.of(in[0].with(Shape.of(in[0].shape().last() + in[1].shape().last())));
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            return List.of(Tensor.concat(0, List.of(in[0], in[1])).mul(2));
        }
    }

    @Test
    void gradients_that_are_views_of_one_memory_are_each_added_to_what_is_pending() {
        Tensor a = Tensor.of(DType.F64, 1, 2).track();
        Tensor b = Tensor.of(DType.F64, 3, 4, 5).track();
        Tensor joined = new Joined().apply(a, b);
        List<Tensor> g = grad(joined.square().sum().add(a.sum()).add(b.sum()), List.of(a, b));
        assertArrayEquals(new double[] {9, 17}, g.get(0).toDoubles(), 1e-12);
        assertArrayEquals(new double[] {25, 33, 41}, g.get(1).toDoubles(), 1e-12);
    }
}
