package dev.gatun.verify;

import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A product of two tensors as an index equation says, such as {@code bhtd,bhsd->bhts}, by one matrix product. */
final class Einsum {

    private Einsum() {}

    static Tensor einsum(String equation, Tensor a, Tensor b) {
        String[] sides = equation.replace(" ", "").split("->");
        String[] in = sides.length == 2 ? sides[0].split(",") : new String[0];
        if (in.length != 2 || in[0].length() != a.shape().rank() || in[1].length() != b.shape().rank()) {
            throw new GoldenCase.Unknown("an index equation of two inputs is needed, not \"" + equation + "\"");
        }
        Tensor left = withoutLone(a, in[0], in[1] + sides[1]);
        Tensor right = withoutLone(b, in[1], in[0] + sides[1]);
        List<Character> own = axes(in[0], in[1] + sides[1]);
        List<Character> others = axes(in[1], in[0] + sides[1]);
        List<Character> batch = own.stream().filter(x -> others.contains(x) && sides[1].indexOf(x) >= 0).toList();
        List<Character> summed = own.stream().filter(x -> others.contains(x) && sides[1].indexOf(x) < 0).toList();
        List<Character> rows = own.stream().filter(x -> !others.contains(x)).toList();
        List<Character> columns = others.stream().filter(x -> !own.contains(x)).toList();

        Tensor matrices = matrices(left, own, batch, rows, summed).matmul(matrices(right, others, batch, summed, columns));
        List<Character> order = Stream.of(batch, rows, columns).flatMap(List::stream).toList();
        long[] dims = order.stream().mapToLong(x -> own.contains(x) ? left.dim(own.indexOf(x)) : right.dim(others.indexOf(x))).toArray();
        int[] permutation = sides[1].chars().map(x -> order.indexOf((char) x)).toArray();
        return matrices.reshape(dims).permute(permutation);
    }

    /** Sums over axes that occur nowhere else. */
    private static Tensor withoutLone(Tensor x, String names, String elsewhere) {
        Tensor y = x;
        for (int axis = names.length() - 1; axis >= 0; axis--) {
            if (elsewhere.indexOf(names.charAt(axis)) < 0) {
                y = y.sum(axis).dropAxis(axis);
            }
        }
        return y;
    }

    private static List<Character> axes(String names, String elsewhere) {
        return names.chars().mapToObj(x -> (char) x).filter(x -> elsewhere.indexOf(x) >= 0).toList();
    }

    /** {@code [batch…, rows, columns]}, with the axes of rows, and those of columns, as one. */
    private static Tensor matrices(Tensor x, List<Character> names, List<Character> batch, List<Character> rows, List<Character> columns) {
        int[] permutation = Stream.of(batch, rows, columns).flatMap(List::stream).mapToInt(names::indexOf).toArray();
        List<Long> dims = new ArrayList<>(batch.stream().map(name -> x.dim(names.indexOf(name))).toList());
        dims.add(product(x, names, rows));
        dims.add(product(x, names, columns));
        return x.permute(permutation).reshape(dims.stream().mapToLong(Long::longValue).toArray());
    }

    private static long product(Tensor x, List<Character> names, List<Character> some) {
        return some.stream().mapToLong(name -> x.dim(names.indexOf(name))).reduce(1, (p, dim) -> p * dim);
    }
}
