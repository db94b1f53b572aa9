package dev.gatun.verify;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tag;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterTry;
import net.jqwik.api.lifecycle.BeforeTry;

/** What the algebra promises for all shapes, empty ones and views included. The arbitraries bring edges by themselves. */
@Tag("once")
class TensorLaws {

    private Scope scope;

    @BeforeTry
    void open() {
        scope = Scope.open("law");
    }

    @AfterTry
    void close() {
        scope.close();
    }

    /** A shape and one that repeats to it. */
    record Pair(Shape whole, Shape part) {}

    @Provide
    Arbitrary<Pair> broadcasts() {
        return TensorArbitraries.shapes(0, 4, 5).flatMap(whole ->
                TensorArbitraries.broadcastingTo(whole).map(part -> new Pair(whole, part)));
    }

    @Provide
    Arbitrary<Shape> shapes() {
        return TensorArbitraries.shapes(0, 4, 6);
    }

    @Provide
    Arbitrary<Shape> rows() {
        return TensorArbitraries.shapes(1, 4, 6);
    }

    @Provide
    Arbitrary<Layout> layouts() {
        return TensorArbitraries.layouts().filter(layout -> layout != Layout.REPEATED);
    }

    /** {@code [B, M, K], [B, K, N]} with sizes around a vector's. */
    @Provide
    Arbitrary<long[]> products() {
        Arbitrary<Long> sizes = TensorArbitraries.sizes(0, 20);
        return Combinators.combine(Arbitraries.longs().between(0, 3), sizes, sizes, sizes).as((b, m, k, n) -> new long[] {b, m, k, n});
    }

    private static Tensor random(Shape shape, long seed) {
        return Tensor.of(DType.F64, shape, Samples.uniform(Key.of(seed), (int) shape.elements(), -2, 2));
    }

    private static double dot(Tensor a, Tensor b) {
        return a.mul(b).sum().item();
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void a_layout_changes_no_number(@ForAll("shapes") Shape shape, @ForAll("layouts") Layout layout, @ForAll long seed) {
        Tensor x = random(shape, seed);
        Tensor view = layout.of(x);
        assertEquals(x.spec(), view.spec());
        assertArrayEquals(x.toDoubles(), view.toDoubles());
        assertArrayEquals(x.exp().toDoubles(), view.exp().toDoubles());
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void repeating_and_summing_back_are_adjoint(@ForAll("broadcasts") Pair pair, @ForAll long seed) {
        Tensor x = random(pair.part, seed);
        Tensor g = random(pair.whole, seed + 1);
        double whole = dot(x.expand(pair.whole), g);
        assertEquals(whole, dot(x, g.sumTo(pair.part)), 1e-12 * (1 + pair.whole.elements()));
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void arithmetic_repeats_as_expand_does(@ForAll("broadcasts") Pair pair, @ForAll long seed) {
        Tensor x = random(pair.whole, seed);
        Tensor y = random(pair.part, seed + 1);
        assertArrayEquals(x.mul(y.expand(pair.whole)).toDoubles(), x.mul(y).toDoubles());
        assertArrayEquals(y.expand(pair.whole).sub(x).toDoubles(), y.sub(x).toDoubles());
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void parts_put_together_are_the_whole(@ForAll("rows") Shape shape, @ForAll @IntRange(max = 3) int axis, @ForAll @IntRange(max = 6) int cut, @ForAll long seed) {
        Tensor x = random(shape, seed);
        int at = axis % shape.rank();
        long middle = Math.min(cut, shape.dim(at));
        Tensor joined = Tensor.concat(at, List.of(x.slice(at, 0, middle), x.slice(at, middle, shape.dim(at))));
        assertEquals(x.spec(), joined.spec());
        assertArrayEquals(x.toDoubles(), joined.toDoubles());
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void picking_and_placing_are_adjoint(@ForAll("rows") Shape shape, @ForAll @IntRange(min = 1, max = 9) int size, @ForAll long seed) {
        Tensor index = Tensor.of(DType.I64, shape, Samples.uniform(Key.of(seed), (int) shape.elements(), 0, size));
        Tensor x = random(shape.with(-1, size), seed + 1);
        Tensor g = random(shape, seed + 2);
        assertEquals(dot(x.gather(-1, index), g), dot(x, g.scatterAdd(-1, index, size)), 1e-11);
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void running_sums_end_with_the_sum(@ForAll("rows") Shape shape, @ForAll long seed) {
        Tensor x = random(shape, seed);
        Tensor running = x.cumsum(-1);
        if (shape.last() > 0) {
            Tensor last = running.slice(-1, shape.last() - 1, shape.last());
            assertArrayEquals(x.sum(-1).toDoubles(), last.toDoubles(), 1e-12);
        }
        assertArrayEquals(x.toDoubles(), running.sub(Layout.OFFSET.of(running.sub(x))).toDoubles(), 1e-12);
    }

    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE)
    void the_product_of_transposes_is_the_transposed_product(
            @ForAll("products") long[] size, @ForAll("layouts") Layout left, @ForAll("layouts") Layout right, @ForAll long seed) {
        Tensor a = left.of(random(Shape.of(size[0], size[1], size[2]), seed));
        Tensor b = right.of(random(Shape.of(size[0], size[2], size[3]), seed + 1));
        Tensor product = a.matmul(b);
        Tensor other = b.transpose().matmul(a.transpose()).transpose();
        assertEquals(product.spec(), other.spec());
        assertArrayEquals(product.toDoubles(), other.toDoubles(), 1e-13 * (1 + size[2]));
    }

    @Property(tries = 50, edgeCases = EdgeCasesMode.NONE)
    void extreme_numbers_survive_storage_and_views(@ForAll("extremes") Tensor x) {
        assertArrayEquals(x.toDoubles(), Layout.STRIDED.of(x).to(DType.F64).to(x.dtype()).toDoubles());
        for (double value : x.neg().neg().sub(x).toDoubles()) {
            assertTrue(value == 0 || Double.isNaN(value));
        }
    }

    @Provide
    Arbitrary<Tensor> extremes() {
        return TensorArbitraries.computing().flatMap(dtype ->
                TensorArbitraries.tensors(dtype, TensorArbitraries.shapes(1, 2, 17), TensorArbitraries.extreme(dtype)));
    }
}
