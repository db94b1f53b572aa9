package dev.gatun.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.gatun.engine.DType;
import dev.gatun.engine.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class StatesTest {

    record Inner(Tensor m, String name) {}

    record Outer(Tensor w, List<Inner> inner, long count, Tensor none) {}

    private final Tensor a = Tensor.of(DType.F32, 1).track();
    private final Tensor b = Tensor.of(DType.F32, 2).track();
    private final Outer state = new Outer(a, List.of(new Inner(b, "x")), 7, null);

    @Test
    void every_tensor_is_changed_and_the_rest_is_kept() {
        Outer cut = States.map(state, Tensor::detach);
        assertFalse(cut.w.tracked());
        assertFalse(cut.inner.getFirst().m.tracked());
        assertEquals("x", cut.inner.getFirst().name);
        assertEquals(7, cut.count);
        assertSame(null, cut.none);
    }

    @Test
    void tensors_come_in_order() {
        assertEquals(List.of(a, b), States.tensors(state));
    }
}
