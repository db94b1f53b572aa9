package dev.gatun.verify;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.Arrays;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;

/**
 * What jqwik properties of tensors are made of: shapes, values, dtypes, keys, and how numbers lie
 * in memory. Needs jqwik, which is an optional dependency of this module.
 *
 * {@snippet :
 * @Provide
 * Arbitrary<Tensor> x() {
 *     return TensorArbitraries.tensors(F64, TensorArbitraries.shapes(1, 4, 9), TensorArbitraries.ordinary());
 * }
 *
 * @Property
 * void a_row_sums_to_one(@ForAll("x") Tensor x) { … }
 * }
 */
@SuppressWarnings("exports") // who calls these has jqwik
public final class TensorArbitraries {

    private static final int VECTOR = 16; // floats in the widest vector: sizes around it meet every kind of tail

    private TensorArbitraries() {}

    /** Shapes with {@code minRank} to {@code maxRank} axes of 0 to {@code maxSize}; length one and empty axes are frequent. */
    public static Arbitrary<Shape> shapes(int minRank, int maxRank, long maxSize) {
        return shapes(minRank, maxRank, sizes(0, maxSize));
    }

    /** Shapes that have at least one element. */
    public static Arbitrary<Shape> filledShapes(int minRank, int maxRank, long maxSize) {
        return shapes(minRank, maxRank, sizes(1, maxSize));
    }

    private static Arbitrary<Shape> shapes(int minRank, int maxRank, Arbitrary<Long> sizes) {
        return sizes.array(Long[].class).ofMinSize(minRank).ofMaxSize(maxRank)
                .map(dims -> Shape.of(Arrays.stream(dims).mapToLong(Long::longValue).toArray()));
    }

    /** Sizes of an axis, the ends of the range and the numbers around a vector more often than others. */
    public static Arbitrary<Long> sizes(long min, long max) {
        List<Long> telling = List.of(0L, 1L, 2L, VECTOR - 1L, (long) VECTOR, VECTOR + 1L).stream()
                .filter(size -> size >= min && size <= max).toList();
        Arbitrary<Long> any = Arbitraries.longs().between(min, max);
        return telling.isEmpty() ? any : Arbitraries.oneOf(any, Arbitraries.of(telling));
    }

    /** Shapes that broadcast to this one: axes of size one, and leading axes left out. */
    public static Arbitrary<Shape> broadcastingTo(Shape shape) {
        return Arbitraries.integers().between(0, shape.rank()).flatMap(dropped ->
                Arbitraries.of(true, false).list().ofSize(shape.rank() - dropped).map(ones -> {
                    long[] dims = Arrays.copyOfRange(shape.dims(), dropped, shape.rank());
                    for (int axis = 0; axis < dims.length; axis++) {
                        dims[axis] = ones.get(axis) ? 1 : dims[axis];
                    }
                    return Shape.of(dims);
                }));
    }

    /** Numbers of ordinary size, between -2 and 2. */
    public static Arbitrary<Double> ordinary() {
        return Arbitraries.doubles().between(-2, 2).ofScale(6);
    }

    /** Numbers that break careless code: zeros of both signs, the smallest and largest, infinities and NaN. */
    public static Arbitrary<Double> extreme(DType dtype) {
        double largest = switch (dtype) {
            case F64 -> Double.MAX_VALUE;
            case F16 -> 65504;
            default -> Float.MAX_VALUE;
        };
        double smallest = dtype == DType.F64 ? Double.MIN_VALUE : Float.MIN_VALUE;
        return Arbitraries.of(0.0, -0.0, 1.0, -1.0, smallest, -smallest, largest, -largest, 88.0, -88.0, 710.0, -746.0,
                Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN);
    }

    /** Both dtypes that compute. */
    public static Arbitrary<DType> computing() {
        return Arbitraries.of(DType.F32, DType.F64);
    }

    /** Keys. */
    public static Arbitrary<Key> keys() {
        return Arbitraries.longs().map(Key::of);
    }

    /** How numbers lie in memory. */
    public static Arbitrary<Layout> layouts() {
        return Arbitraries.of(Layout.class);
    }

    /** Tensors of these shapes, every element drawn by itself. */
    public static Arbitrary<Tensor> tensors(DType dtype, Arbitrary<Shape> shapes, Arbitrary<Double> values) {
        return shapes.flatMap(shape -> values.array(Double[].class).ofSize(Math.toIntExact(shape.elements()))
                .map(drawn -> Tensor.of(dtype, shape, Arrays.stream(drawn).mapToDouble(Double::doubleValue).toArray())));
    }

    /** Strided, shifted, transposed and repeated views of such tensors. */
    public static Arbitrary<Tensor> views(DType dtype, Arbitrary<Shape> shapes, Arbitrary<Double> values) {
        return tensors(dtype, shapes, values).flatMap(x -> layouts().map(layout -> layout.of(x)));
    }
}
