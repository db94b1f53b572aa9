package dev.gatun.ops;

import static dev.gatun.ops.Activations.eluPlusOne;
import static dev.gatun.ops.Activations.gelu;
import static dev.gatun.ops.Activations.geluDerivative;
import static dev.gatun.ops.Activations.geluTanh;
import static dev.gatun.ops.Activations.geluTanhDerivative;
import static dev.gatun.ops.Activations.logSigmoid;
import static dev.gatun.ops.Activations.relu;
import static dev.gatun.ops.Activations.silu;
import static dev.gatun.ops.Activations.siluDerivative;
import static dev.gatun.ops.Activations.softcap;
import static dev.gatun.ops.Activations.softplus;
import static dev.gatun.ops.Activations.swiglu;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Activations.Activation;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ActivationsTest {

    private static void assertMaps(UnaryOperator<Tensor> f, double[] x, double[] y) {
        assertArrayEquals(y, f.apply(Tensor.of(DType.F64, x)).toDoubles(), 1e-12);
        assertArrayEquals(y, f.apply(Tensor.of(DType.F32, x)).toDoubles(), 2e-6);
    }

    @Test
    void values_worked_out_by_hand() {
        double half = 1 / (1 + Math.exp(-1));
        assertMaps(Activations::silu, new double[] {0, 1, -1}, new double[] {0, half, half - 1});
        assertMaps(Activations::siluDerivative, new double[] {0, 1}, new double[] {0.5, half * (2 - half)});
        assertMaps(Activations::gelu, new double[] {0, 1, -1}, new double[] {0, 0.8413447460685429, -0.15865525393145707});
        assertMaps(Activations::geluDerivative, new double[] {0, 1}, new double[] {0.5, 0.8413447460685429 + 0.24197072451914337});
        assertMaps(Activations::geluTanhDerivative, new double[] {0}, new double[] {0.5});
        assertMaps(Activations::softplus, new double[] {0, 1}, new double[] {Math.log(2), 1.3132616875182228});
        assertMaps(Activations::logSigmoid, new double[] {0, -1}, new double[] {-Math.log(2), -1.3132616875182228});
        assertMaps(Activations::relu, new double[] {-2, 0, 3}, new double[] {0, 0, 3});
        assertMaps(Activations::eluPlusOne, new double[] {2, 0, -1}, new double[] {3, 1, Math.exp(-1)});
        assertMaps(x -> softcap(x, 2), new double[] {1, -1000}, new double[] {2 * Math.tanh(0.5), -2});
        assertMaps(x -> swiglu(x, x.mul(2)), new double[] {1}, new double[] {2 * half});
    }

    @Test
    void the_second_slopes_at_zero() {
        Tensor zero = Tensor.of(DType.F64, 0);
        assertEquals(0.5, new Activation(Curve.SILU, 2).apply(zero).item(), 1e-15);
        assertEquals(2 / Math.sqrt(2 * Math.PI), new Activation(Curve.GELU, 2).apply(zero).item(), 1e-15);
        assertEquals(0.25, new Activation(Curve.SOFTPLUS, 2).apply(zero).item(), 1e-15);
        assertEquals(-0.25, new Activation(Curve.LOG_SIGMOID, 2).apply(zero).item(), 1e-15);
    }

    @ParameterizedTest
    @EnumSource(Curve.class)
    void slopes_of_every_order_agree_with_differences_of_the_one_before(Curve curve) {
        Tensor x = Tensor.arange(DType.F64, 21).mul(0.4).sub(4);
        double h = 1e-4;
        for (int order = 0; order < 5; order++) {
            Activation f = new Activation(curve, order);
            Tensor difference = f.apply(x.add(h)).sub(f.apply(x.sub(h))).mul(0.5 / h);
            // the difference is off by h²/6 times the third slope from there, and by rounding over h
            assertArrayEquals(difference.toDoubles(), new Activation(curve, order + 1).apply(x).toDoubles(), 1e-6, curve + " " + order);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void large_numbers_neither_overflow_nor_become_nan(DType dtype) {
        Tensor x = Tensor.of(dtype, -1e6, -88, 88, 1e6);
        assertArrayEquals(new double[] {0, 0, 88, 1e6}, silu(x).toDoubles(), 1e-9);
        assertArrayEquals(new double[] {0, 0, 88, 1e6}, gelu(x).toDoubles(), 1e-9);
        assertArrayEquals(new double[] {0, 0, 88, 1e6}, geluTanh(x).toDoubles(), 1e-9);
        assertArrayEquals(new double[] {0, 0, 88, 1e6}, softplus(x).toDoubles(), 1e-9);
        assertArrayEquals(new double[] {-1e6, -88, 0, 0}, logSigmoid(x).toDoubles(), 1e-9);
        assertArrayEquals(new double[] {0, 0, 89, 1e6 + 1}, eluPlusOne(x).toDoubles(), 1e-9);
        for (Curve curve : Curve.values()) {
            double[] first = new Activation(curve, 1).apply(x).toDoubles();
            boolean rising = curve != Curve.LOG_SIGMOID;
            assertArrayEquals(rising ? new double[] {0, 0, 1, 1} : new double[] {1, 1, 0, 0}, first, 1e-9, curve.toString());
            assertArrayEquals(new double[4], new Activation(curve, 2).apply(x).toDoubles(), 1e-9, curve.toString());
        }
    }

    @Test
    void small_logarithms_of_sigmoids_keep_their_digits() {
        assertEquals(-Math.exp(-30), logSigmoid(Tensor.of(DType.F64, 30)).item(), 1e-25);
        assertEquals(1, logSigmoid(Tensor.of(DType.F32, 30)).item() / -Math.exp(-30), 1e-6);
    }

    @Test
    void derivatives_say_their_name() {
        Tensor x = Tensor.of(Shape.of(1), 1L);
        assertEquals("geluTanhDerivative: real numbers are needed, not i64\n  x: i64[1] cpu",
                assertThrows(DTypeException.class, () -> geluTanhDerivative(x)).getMessage());
        assertEquals("siluDerivative", new Activation(Curve.SILU, 1).name());
        assertEquals("logSigmoidDerivative2", new Activation(Curve.LOG_SIGMOID, 2).name());
    }
}
