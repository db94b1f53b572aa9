package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.differentiableGrad;
import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.engine.DType.F32;
import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The first example of the style guide, as it stands there. */
class StyleExampleTest {

    @Test
    void a_line_is_fitted_and_a_slope_has_a_slope() {
        Key key = Key.of(42);
        Params params = Params.fresh(key.child("model"), F32);
        Linear model = new Linear(params.at("head"), 3, 1);
        Tensor x = normal(key.child("x"), F32, Shape.of(64, 3));
        Tensor y = x.sum(-1);

        double first = Double.NaN;
        double last = Double.NaN;
        for (int step = 0; step < 100; step++) {
            try (Scope scope = Scope.open("step")) {
                Tensor loss = model.forward(x).sub(y).square().mean();
                List<Tensor> slopes = grad(loss, params.values());
                params.update(slopes, (w, g) -> w.sub(g.mul(0.1)));
                last = loss.item();
                first = step == 0 ? last : first;
            }
        }
        assertTrue(last < 1e-6 * first, first + " then " + last);
        for (float weight : params.values().getFirst().toFloats()) {
            assertEquals(1, weight, 1e-3);
        }

        Tensor w = Tensor.of(F32, 0.7).track();
        Tensor slope = differentiableGrad(w.tanh(), w);
        // -2 tanh(0.7) (1 - tanh(0.7)²)
        assertEquals(-0.767232, grad(slope, w).item(), 1e-5);
    }
}
