package dev.gatun.ops.sequence;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import org.junit.jupiter.api.Test;

class RopeTest {

    private final Tensor x = Random.normal(Key.of(1), DType.F64, Shape.of(2, 3, 5, 8));

    private static Tensor turned(Rope rope, Tensor x) {
        return rope.apply(x);
    }

    @Test
    void a_pair_is_turned_by_its_position() {
        Tensor y = Rope.rope(Tensor.of(DType.F64, Shape.of(2, 2), 1, 0, 1, 0), 3, 10_000);
        assertArrayEquals(new double[] {Math.cos(3), Math.sin(3), Math.cos(4), Math.sin(4)}, y.toDoubles(), 1e-15);
    }

    @Test
    void halves_or_neighbours_make_pairs() {
        Tensor one = Tensor.of(DType.F64, Shape.of(1, 5), 1, 0, 0, 0, 9);
        assertArrayEquals(new double[] {Math.cos(2), 0, Math.sin(2), 0, 9}, Rope.rope(one, 2, 100, 4).toDoubles(), 1e-15);
        assertArrayEquals(new double[] {Math.cos(2), Math.sin(2), 0, 0, 9}, Rope.ropeInterleaved(one, 2, 100, 4).toDoubles(), 1e-15);
        Tensor second = Tensor.of(DType.F64, Shape.of(1, 5), 0, 1, 0, 0, 9);
        assertArrayEquals(new double[] {0, Math.cos(0.2), 0, Math.sin(0.2), 9}, Rope.rope(second, 2, 100, 4).toDoubles(), 1e-15);
    }

    @Test
    void turning_back_undoes_it() {
        Tensor y = turned(new Rope(9, 10_000, 6, false, true), turned(new Rope(9, 10_000, 6, false, false), x));
        assertArrayEquals(x.toDoubles(), y.toDoubles(), 1e-14);
    }

    @Test
    void products_depend_on_the_distance_alone() {
        Tensor k = Random.normal(Key.of(2), DType.F64, Shape.of(2, 3, 5, 8));
        Tensor near = Rope.rope(x, 4, 10_000).mul(Rope.rope(k, 1, 10_000)).sum(-1);
        Tensor far = Rope.rope(x, 1004, 10_000).mul(Rope.rope(k, 1001, 10_000)).sum(-1);
        assertArrayEquals(near.toDoubles(), far.toDoubles(), 1e-11);
    }

    @Test
    void all_backends_make_the_same_bits_of_strided_heads() {
        Tensor heads = Random.normal(Key.of(3), DType.F32, Shape.of(2, 5, 3, 70)).swap(1, 2);
        float[] plain;
        try (Backend.Narrowed only = Backend.only(Backend.SCALAR, Backend.REFERENCE)) {
            plain = Rope.rope(heads, 11, 10_000, 66).toFloats();
        }
        for (int i = 0; i < 20; i++) {
            assertArrayEquals(plain, Rope.rope(heads, 11, 10_000, 66).toFloats());
        }
        assertArrayEquals(Rope.rope(heads.to(DType.F64), 11, 10_000, 66).to(DType.F32).toFloats(), plain, 1e-6f);
    }

    @Test
    void an_odd_number_of_features_is_refused() {
        var e = assertThrows(ShapeException.class, () -> Rope.rope(x, 0, 10_000, 3));
        assertEquals("rope: an even number of features is turned, at most 8 and not 3\n  x: f64[2, 3, 5, 8] cpu", e.getMessage());
    }
}
