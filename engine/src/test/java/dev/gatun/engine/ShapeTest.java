package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ShapeTest {

    @Test
    void sizes_of_one_broadcast_from_the_right() {
        assertEquals(Shape.of(2, 3, 5), Shape.of(2, 1, 5).broadcast(Shape.of(3, 1)));
        assertEquals(Shape.of(4), Shape.of().broadcast(Shape.of(4)));
        assertEquals(Shape.of(0, 3), Shape.of(1, 3).broadcast(Shape.of(0, 1)));
    }

    @Test
    void sizes_that_differ_do_not_broadcast() {
        ShapeException e = assertThrows(ShapeException.class, () -> Shape.of(2, 3).broadcast(Shape.of(2)));
        assertEquals("sizes do not broadcast: 3 against 2 on axis -1", e.getMessage());
    }

    @Test
    void a_product_beyond_long_is_refused() {
        ShapeException e = assertThrows(ShapeException.class, () -> Shape.of(1L << 40, 1L << 40));
        assertEquals("too many elements for a long in [1099511627776, 1099511627776]", e.getMessage());
    }

    @Test
    void a_negative_size_is_refused() {
        assertEquals("negative size in [3, -1]", assertThrows(ShapeException.class, () -> Shape.of(3, -1)).getMessage());
    }

    @Test
    void axes_count_from_both_ends() {
        Shape shape = Shape.of(2, 3, 5);
        assertEquals(5, shape.dim(-1));
        assertEquals(Shape.of(2, 5), shape.drop(-2));
        assertEquals(Shape.of(2, 3, 5, 7), shape.insert(-1, 7));
        assertArrayEquals(new long[] {15, 5, 1}, shape.contiguousStrides());
        assertEquals("axis 3 of a shape with 3 axes, [2, 3, 5]", assertThrows(ShapeException.class, () -> shape.dim(3)).getMessage());
    }
}
