package dev.gatun.layers.memory;

import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Polynomial features of a vector, {@code φ_p(x) [..., d]} to {@code [..., binom(d + p, p)]}: all monomials of degree 0
 * to p, inside a degree in the order of their non-decreasing index tuples, {@code x^β} of degree i weighted with
 * {@code c_i sqrt(i! / β!)}, so that {@code φ(q) · φ(k) = sum over i of c_i² (q · k)^i}. ATLAS, section 3.1; the paper's {@code a_i}
 * are {@code c_i²}.
 */
public final class Polynomial {

    private Polynomial() {}

    /** How many features a vector of {@code d} numbers has. */
    public static long width(long d, long degree) {
        long width = 1;
        for (long i = 1; i <= degree; i++) {
            width = width * (d + i) / i;
        }
        return width;
    }

    /** The features of each vector on the last axis; one coefficient for each degree from 0 on. */
    public static Tensor polynomial(Tensor x, Tensor coefficients) {
        if (coefficients.shape().rank() != 1 || coefficients.dim(0) < 1) {
            throw new ShapeException("polynomial: coefficients are [degree + 1], not " + coefficients.shape()
                    + "\n  x: " + x.describe() + "\n  coefficients: " + coefficients.describe());
        }
        int d = (int) x.dim(-1);
        Tensor monomials = Tensor.ones(x.dtype(), x.shape().with(-1, 1));
        List<int[]> tuples = List.of(new int[0]);
        List<Tensor> features = new ArrayList<>(List.of(weighted(monomials, tuples, coefficients, 0)));
        for (int degree = 1; degree < coefficients.dim(0); degree++) {
            // Tuples that start with at least i lie together at the end: x_i times those are the tuples that start with i.
            List<Tensor> parts = new ArrayList<>();
            List<int[]> next = new ArrayList<>();
            for (int i = 0; i < d; i++) {
                int from = 0;
                while (from < tuples.size() && tuples.get(from).length > 0 && tuples.get(from)[0] < i) {
                    from++;
                }
                parts.add(x.slice(-1, i, i + 1).mul(monomials.slice(-1, from, tuples.size())));
                for (int[] rest : tuples.subList(from, tuples.size())) {
                    int[] tuple = new int[degree];
                    tuple[0] = i;
                    System.arraycopy(rest, 0, tuple, 1, degree - 1);
                    next.add(tuple);
                }
            }
            monomials = Tensor.concat(-1, parts);
            tuples = next;
            features.add(weighted(monomials, tuples, coefficients, degree));
        }
        return Tensor.concat(-1, features);
    }

    private static Tensor weighted(Tensor monomials, List<int[]> tuples, Tensor coefficients, int degree) {
        double[] roots = tuples.stream().mapToDouble(tuple -> Math.sqrt(arrangements(tuple))).toArray();
        return monomials.mul(Tensor.of(monomials.dtype(), roots).mul(coefficients.slice(0, degree, degree + 1)));
    }

    /** {@code i! / β!}: how many orders the indices of a monomial have. */
    private static double arrangements(int[] tuple) {
        double count = 1;
        int run = 0;
        for (int i = 0; i < tuple.length; i++) {
            run = i > 0 && tuple[i] == tuple[i - 1] ? run + 1 : 1;
            count = count * (i + 1) / run;
        }
        return count;
    }
}
