package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/**
 * What every sequence layer promises, whatever is inside it, in double. A test class of a layer extends
 * this and says which {@link #kinds} of it there are. Parameters are moved away from where they start,
 * so that those that start at zero count.
 */
abstract class SequenceLayerLaws {

    /**
     * A layer with options of its own, for tokens of {@link #WIDTH} features.
     *
     * @param oneState whether the state after a sequence is the same however it was read
     */
    record Kind(String name, Function<Params, SequenceLayer<?>> make, boolean oneState) {

        Kind(String name, Function<Params, SequenceLayer<?>> make) {
            this(name, make, true);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /** Features of a token. */
    static final long WIDTH = 8;

    /** Agreement of what is equal but for rounding. */
    private static final double CLOSE = 1e-10;

    /** Layers that the laws are about: each option that changes what is computed in one of them at least. */
    abstract List<Kind> kinds();

    /** What parameters are multiplied with to get extreme gates. */
    double extreme() {
        return 40;
    }

    /** How far everything is moved to take differences: where curvature and rounding are both small beside the slope. */
    double step() {
        return 1e-5;
    }

    @Provide
    Arbitrary<Kind> layers() {
        return Arbitraries.of(kinds());
    }

    /** A layer, its parameters, and random numbers for it. */
    private record Case(SequenceLayer<Object> layer, Params params, Key key) {

        @SuppressWarnings("unchecked") // states are handed back to the layer they came from
        static Case of(Kind kind, long seed) {
            Params params = Params.fresh(Key.of(seed).child("parameters"), DType.F64);
            SequenceLayer<Object> layer = (SequenceLayer<Object>) kind.make.apply(params);
            Case c = new Case(layer, params, Key.of(seed));
            c.params.update(c.directions("moved", c.params.values()), (w, d) -> w.add(d.mul(0.2)));
            return c;
        }

        Tensor tokens(String name, long batch, long time) {
            return normal(key.child(name), DType.F64, Shape.of(batch, time, WIDTH));
        }

        List<Tensor> directions(String name, List<Tensor> like) {
            List<Tensor> directions = new ArrayList<>();
            for (int i = 0; i < like.size(); i++) {
                directions.add(normal(key.child(name).child(i), DType.F64, like.get(i).shape()));
            }
            return directions;
        }

        /** The state after some tokens, as leaves. */
        Object past(long batch, long time) {
            Step<Object> step = layer.forward(tokens("past", batch, time), layer.start(batch), Form.RECURRENT);
            return States.map(step.state(), t -> t.dtype().isFloat() ? t.detach().track() : t.detach());
        }

        /** Output and final state of a sequence, cut at a place, as one random sum. */
        Tensor sum(Step<Object> step) {
            List<Tensor> parts = new ArrayList<>(List.of(step.y()));
            parts.addAll(reals(step.state()));
            List<Tensor> weights = directions("weights", parts);
            Tensor sum = Tensor.of(DType.F64, 0);
            for (int i = 0; i < parts.size(); i++) {
                sum = sum.add(parts.get(i).mul(weights.get(i)).sum());
            }
            return sum;
        }

        Step<Object> cut(Tensor x, Object past, long at, Form first, Form second) {
            Step<Object> head = layer.forward(x.slice(1, 0, at), past, first);
            Step<Object> tail = layer.forward(x.slice(1, at, x.dim(1)), head.state(), second);
            return new Step<>(Tensor.concat(1, List.of(head.y(), tail.y())), tail.state());
        }

        /** Everything that has a gradient. */
        List<Tensor> leaves(Tensor x, Object past) {
            List<Tensor> leaves = new ArrayList<>(List.of(x));
            leaves.addAll(params.values());
            leaves.addAll(reals(past));
            return leaves;
        }
    }

    private static List<Tensor> reals(Object state) {
        return States.tensors(state).stream().filter(t -> t.dtype().isFloat()).toList();
    }

    @Property(tries = 20, edgeCases = EdgeCasesMode.NONE)
    void forms_agree(@ForAll("layers") Kind kind, @ForAll @IntRange(min = 1, max = 130) int time,
            @ForAll boolean carried, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 2, time);
            Object past = carried ? c.past(2, 5) : c.layer.start(2);
            Step<Object> whole = c.layer.forward(x, past, Form.PARALLEL);
            for (Form form : List.of(Form.CHUNKWISE, Form.RECURRENT)) {
                Step<Object> other = c.layer.forward(x, past, form);
                assertClose("y, " + form, whole.y(), other.y());
                if (kind.oneState) {
                    assertClose("state, " + form, States.tensors(whole.state()), States.tensors(other.state()));
                }
            }
        }
    }

    @Property(tries = 20, edgeCases = EdgeCasesMode.NONE)
    void cutting_a_sequence_and_carrying_the_state_changes_nothing(@ForAll("layers") Kind kind,
            @ForAll @IntRange(min = 1, max = 70) int before, @ForAll @IntRange(min = 1, max = 70) int after,
            @ForAll Form first, @ForAll Form second, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 2, before + after);
            Step<Object> whole = c.layer.forward(x, c.layer.start(2), Form.PARALLEL);
            Step<Object> parts = c.cut(x, c.layer.start(2), before, first, second);
            assertClose("y", whole.y(), parts.y());
            if (kind.oneState) {
                assertClose("state", States.tensors(whole.state()), States.tensors(parts.state()));
            }
        }
    }

    @Property(tries = 15, edgeCases = EdgeCasesMode.NONE)
    void cutting_a_sequence_changes_no_gradient_of_parameters_tokens_and_the_past(@ForAll("layers") Kind kind,
            @ForAll @IntRange(min = 1, max = 40) int before, @ForAll @IntRange(min = 1, max = 40) int after,
            @ForAll Form first, @ForAll Form second, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 2, before + after).track();
            Object past = c.past(2, 5);
            Step<Object> whole = c.layer.forward(x, past, Form.PARALLEL);
            Step<Object> parts = c.cut(x, past, before, first, second);
            Tensor a = kind.oneState ? c.sum(whole) : c.sum(new Step<>(whole.y(), List.of()));
            Tensor b = kind.oneState ? c.sum(parts) : c.sum(new Step<>(parts.y(), List.of()));
            List<Tensor> leaves = c.leaves(x, past);
            assertClose("gradient", grad(a, leaves), grad(b, leaves));
        }
    }

    @Property(tries = 15, edgeCases = EdgeCasesMode.NONE)
    void batch_entries_do_not_influence_each_other(@ForAll("layers") Kind kind, @ForAll @IntRange(min = 1, max = 70) int time,
            @ForAll Form form, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 3, time).track();
            Step<Object> all = c.layer.forward(x, c.layer.start(3), form);
            for (long entry = 0; entry < 3; entry++) {
                Tensor alone = c.layer.forward(x.slice(0, entry, entry + 1), c.layer.start(1), form).y();
                assertClose("y of entry " + entry, all.y().slice(0, entry, entry + 1), alone);
            }
            Tensor slope = grad(all.y().slice(0, 1, 2).square().sum(), x);
            assertEquals(0, slope.slice(0, 0, 1).abs().sum().item(), "an earlier entry has a gradient");
            assertEquals(0, slope.slice(0, 2, 3).abs().sum().item(), "a later entry has a gradient");
        }
    }

    @Property(tries = 15, edgeCases = EdgeCasesMode.NONE)
    void a_later_token_changes_no_earlier_output(@ForAll("layers") Kind kind, @ForAll @IntRange(min = 1, max = 70) int before,
            @ForAll @IntRange(min = 1, max = 20) int after, @ForAll Form form, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 2, before + after).track();
            Tensor other = Tensor.concat(1, List.of(x.slice(1, 0, before), c.tokens("other", 2, after).mul(100)));
            Tensor early = c.layer.forward(x, c.layer.start(2), form).y().slice(1, 0, before);
            assertClose("y", early, c.layer.forward(other, c.layer.start(2), form).y().slice(1, 0, before));
            Tensor slope = grad(early.square().sum(), x);
            assertEquals(0, slope.slice(1, before, before + after).abs().sum().item(), "a later token has a gradient");
        }
    }

    @Property(tries = 15, edgeCases = EdgeCasesMode.NONE)
    void extreme_gates_give_finite_numbers(@ForAll("layers") Kind kind, @ForAll @IntRange(min = 1, max = 40) int time,
            @ForAll boolean negative, @ForAll Form form, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            double factor = negative ? -extreme() : extreme();
            c.params.update(c.params.values(), (w, same) -> w.mul(factor));
            Tensor x = c.tokens("x", 2, time).track();
            Object past = c.past(2, 3);
            Step<Object> step = c.layer.forward(x, past, form);
            assertFinite("y", step.y());
            reals(step.state()).forEach(t -> assertFinite("state", t));
            List<Tensor> leaves = c.leaves(x, past);
            grad(c.sum(step), leaves).forEach(t -> assertFinite("gradient", t));
        }
    }

    @Property(tries = 15, edgeCases = EdgeCasesMode.NONE)
    void gradients_are_what_differences_say(@ForAll("layers") Kind kind, @ForAll @IntRange(min = 1, max = 20) int time,
            @ForAll Form form, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Case c = Case.of(kind, seed);
            Tensor x = c.tokens("x", 2, time).track();
            Object past = c.past(2, 3);
            List<Tensor> leaves = c.leaves(x, past);
            List<Tensor> directions = c.directions("directions", leaves);
            List<Tensor> slopes = grad(c.sum(c.layer.forward(x, past, form)), leaves);
            double analytic = 0;
            double squares = 0;
            for (int i = 0; i < leaves.size(); i++) {
                Tensor terms = slopes.get(i).mul(directions.get(i));
                analytic += terms.sum().item();
                squares += terms.square().sum().item();
            }
            // Differences of fourth order: at this step both curvature and rounding are below 1e-8 of the sum.
            double h = step();
            double numeric = (8 * (moved(c, x, past, form, directions, h) - moved(c, x, past, form, directions, -h))
                    - (moved(c, x, past, form, directions, 2 * h) - moved(c, x, past, form, directions, -2 * h))) / (12 * h);
            assertEquals(numeric, analytic, 1e-6 * Math.max(Math.sqrt(squares), Math.abs(numeric)));
        }
    }

    /** The random sum with all leaves moved by this much; parameters are put back. */
    private static double moved(Case c, Tensor x, Object past, Form form, List<Tensor> directions, double by) {
        int count = c.params.values().size();
        List<Tensor> along = directions.subList(1, 1 + count);
        List<Tensor> before = c.params.values().stream().map(w -> w.detach().add(0)).toList();
        c.params.update(along, (w, d) -> w.add(d.mul(by)));
        int[] next = {1 + count};
        Object shifted = States.map(past, t -> t.dtype().isFloat() ? t.detach().add(directions.get(next[0]++).mul(by)) : t);
        double sum = c.sum(c.layer.forward(x.detach().add(directions.getFirst().mul(by)), shifted, form)).item();
        c.params.update(before, (w, old) -> old);
        return sum;
    }

    private static void assertClose(String what, List<Tensor> a, List<Tensor> b) {
        assertEquals(a.size(), b.size(), what);
        for (int i = 0; i < a.size(); i++) {
            assertClose(what + " " + i, a.get(i), b.get(i));
        }
    }

    private static void assertClose(String what, Tensor a, Tensor b) {
        assertEquals(a.shape(), b.shape(), what);
        double[] as = a.toDoubles();
        double[] bs = b.toDoubles();
        double largest = 1;
        for (double value : as) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < as.length; i++) {
            assertTrue(Math.abs(as[i] - bs[i]) <= CLOSE * largest, what + " at " + i + ": " + as[i] + " and " + bs[i]);
        }
    }

    private static void assertFinite(String what, Tensor t) {
        for (double value : t.toDoubles()) {
            assertTrue(Double.isFinite(value), what + " has " + value);
        }
    }
}
