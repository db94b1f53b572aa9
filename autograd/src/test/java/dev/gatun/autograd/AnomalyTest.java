package dev.gatun.autograd;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import org.junit.jupiter.api.Test;

class AnomalyTest {

    private final Tensor x = Tensor.of(DType.F64, 0, 1, 4).track();

    @Test
    void the_first_op_that_makes_an_infinity_is_named_with_its_input_and_the_place() {
        try (Anomaly watch = Anomaly.watch("step")) {
            String message = assertThrows(AnomalyException.class, () -> x.log().add(1).exp()).getMessage();
            assertTrue(message.startsWith("""
                    log: the result has 1 infinite of 3, made here first
                      x: f64[3] cpu, all finite, min 0.000, max 4.000, mean 1.667
                      at dev.gatun.autograd.AnomalyTest."""), message);
            assertTrue(message.contains("AnomalyTest.java:"), message);
        }
    }

    @Test
    void a_gradient_that_overflows_names_the_op_it_belongs_to_and_where_that_ran() {
        try (Anomaly watch = Anomaly.watch("step")) {
            Tensor y = x.sqrt().sum();
            String message = assertThrows(AnomalyException.class, () -> grad(y, x)).getMessage();
            assertTrue(message.startsWith("""
                    div: the result has 1 infinite of 3, made here first
                      a: f64[3] cpu, all finite, min 0.5000, max 0.5000, mean 0.5000
                      b: f64[3] cpu, all finite, min 0.000, max 2.000, mean 1.000
                      in the gradient of sqrt, which ran at dev.gatun.autograd.AnomalyTest.a_gradient"""), message);
        }
    }

    @Test
    void a_nan_that_was_there_before_is_said_to_have_come_in() {
        Tensor bad = Tensor.of(DType.F64, Double.NaN, 1);
        try (Anomaly watch = Anomaly.watch("step")) {
            String message = assertThrows(AnomalyException.class, () -> bad.add(1)).getMessage();
            assertTrue(message.startsWith("add: the result has 1 NaN of 2, which came in with an input"), message);
        }
    }

    @Test
    void an_infinity_that_is_meant_may_pass() {
        try (Anomaly watch = Anomaly.watch("step")) {
            Tensor masked = x.gt(0).select(x, Tensor.full(DType.F64, Shape.of(), Double.NEGATIVE_INFINITY));
            assertEquals(0, masked.exp().get(0));
        }
    }
}
