package dev.gatun.autograd;

import dev.gatun.engine.Backward;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Node;
import dev.gatun.engine.Op;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Arithmetic;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/** One walk over the nodes between some results and what is asked for, latest first. */
final class Sweep {

    /** The node whose rule runs on this thread, for {@link Anomaly}. */
    static final ThreadLocal<Node> RULE = new ThreadLocal<>();

    private final boolean differentiable;
    private final Set<Tensor> wanted = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Set<Node> leading = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Map<Tensor, Tensor> pending = new IdentityHashMap<>();
    private final Map<Object, Integer> uses = new IdentityHashMap<>();
    private final Scope scope; // of a plain sweep: owns what no rule will need again

    private Sweep(List<Tensor> xs, boolean differentiable, Scope scope) {
        this.differentiable = differentiable;
        this.scope = scope;
        wanted.addAll(xs);
    }

    static List<Tensor> plain(List<Tensor> ys, List<Tensor> gs, List<Tensor> xs) {
        try (Scope scope = Scope.open("grad")) {
            List<Tensor> detached = gs.stream().map(Tensor::detach).toList();
            List<Tensor> result = new Sweep(xs, false, scope).run(ys, detached, xs);
            result.forEach(scope::keep);
            return result;
        }
    }

    static List<Tensor> differentiable(List<Tensor> ys, List<Tensor> gs, List<Tensor> xs) {
        return new Sweep(xs, true, null).run(ys, gs, xs);
    }

    private List<Tensor> run(List<Tensor> ys, List<Tensor> gs, List<Tensor> xs) {
        List<Node> nodes = nodesBetween(ys);
        for (int i = 0; i < ys.size(); i++) {
            if (leads(ys.get(i))) {
                accumulate(ys.get(i), gs.get(i));
            }
        }
        Node outer = RULE.get();
        try {
            for (Node node : nodes) {
                RULE.set(node);
                step(node);
            }
        } finally {
            RULE.set(outer);
        }
        List<Tensor> result = new ArrayList<>();
        for (Tensor x : xs) {
            Tensor g = pending.get(x);
            result.add(g == null ? zeros(x) : g);
        }
        return result;
    }

    private static Tensor zeros(Tensor x) {
        try (Scope.Stay _ = Scope.at(x.device())) {
            return Tensor.zeros(x.dtype(), x.shape());
        }
    }

    /** Nodes on a way from what is wanted to the results, latest first. */
    private List<Node> nodesBetween(List<Tensor> ys) {
        Set<Node> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        ArrayDeque<Node> open = new ArrayDeque<>();
        for (Tensor y : ys) {
            visit(y, seen, open);
        }
        List<Node> nodes = new ArrayList<>();
        while (!open.isEmpty()) {
            Node node = open.pop();
            nodes.add(node);
            for (Tensor input : node.inputs()) {
                visit(input, seen, open);
            }
        }
        nodes.sort(Comparator.comparingLong(Node::order));
        List<Node> between = new ArrayList<>();
        for (Node node : nodes) { // inputs first, so one pass finds what leads to the wanted
            if (node.inputs().stream().anyMatch(this::leads)) {
                leading.add(node);
                between.add(node);
            }
        }
        return between.reversed();
    }

    private static void visit(Tensor t, Set<Node> seen, ArrayDeque<Node> open) {
        if (t.node() != null && seen.add(t.node())) {
            open.push(t.node());
        }
    }

    /** Whether a gradient at this tensor is wanted or leads to a wanted one. */
    private boolean leads(Tensor t) {
        return wanted.contains(t) || t.node() != null && leading.contains(t.node());
    }

    private void step(Node node) {
        List<Tensor> outputs = node.outputs();
        Tensor[] g = new Tensor[outputs.size()];
        boolean flows = false;
        for (int i = 0; i < g.length; i++) {
            g[i] = pending.get(outputs.get(i));
            flows |= g[i] != null;
        }
        if (!flows) {
            return;
        }
        try (Scope.Stay _ = Scope.at(outputs.getFirst().device())) {
            pass(node, g);
        }
        for (Tensor output : outputs) {
            if (!wanted.contains(output)) {
                forget(pending.remove(output));
            }
        }
    }

    /** Passes the gradients of a node's outputs on to its inputs. */
    private void pass(Node node, Tensor[] g) {
        if (differentiable) {
            collect(node, gradients(node, g));
        } else {
            try (Scope rule = Scope.open("gradient of " + node.op().name())) {
                List<Tensor> gradients = gradients(node, g);
                gradients.forEach(rule::keep);
                collect(node, gradients);
            }
        }
    }

    /** What the rule gives, summed over the axes along which an input was repeated. */
    private List<Tensor> gradients(Node node, Tensor[] g) {
        Op op = node.op();
        List<Tensor> inputs = node.inputs();
        Rule rule = new Rule(node, g);
        List<Tensor> gradients = op.gradient(rule);
        if (gradients.size() != inputs.size()) {
            throw new IllegalStateException(op.name() + ": its rule gives " + gradients.size() + " gradients for "
                    + inputs.size() + " inputs");
        }
        List<Tensor> fitted = new ArrayList<>();
        for (int i = 0; i < inputs.size(); i++) {
            Tensor gradient = gradients.get(i);
            if (gradient.isNone() || !leads(inputs.get(i))) {
                fitted.add(rule.none());
                continue;
            }
            if (gradient.dtype() != inputs.get(i).dtype()) {
                throw new DTypeException(op.name() + ": the gradient of input " + i + " has another dtype\n  x: "
                        + inputs.get(i).describe() + "\n  g: " + gradient.describe());
            }
            fitted.add(gradient.sumTo(inputs.get(i).shape()));
        }
        return fitted;
    }

    private void collect(Node node, List<Tensor> gradients) {
        // Held together, because gradients of several inputs may be views of one memory.
        gradients.forEach(this::hold);
        for (int i = 0; i < gradients.size(); i++) {
            if (!gradients.get(i).isNone()) {
                accumulate(node.inputs().get(i), gradients.get(i));
            }
        }
        gradients.forEach(this::forget);
    }

    private void accumulate(Tensor x, Tensor g) {
        Tensor before = pending.get(x);
        Tensor sum = g;
        if (before != null) {
            if (mayOverwrite(before)) {
                Dispatch.overwrite(new Arithmetic.Add(), List.of(before, g), List.of(before));
                hold(g);
                forget(g);
                return;
            }
            sum = before.add(g);
            if (!differentiable) {
                scope.adopt(sum);
            }
        }
        pending.put(x, sum);
        hold(sum);
        if (before != null) {
            hold(g);
            forget(g);
            forget(before);
        }
    }

    /** Whether a pending gradient is ours alone, so that a sum may replace it in place. */
    private boolean mayOverwrite(Tensor g) {
        return !differentiable && scope.owns(g) && uses.get(g.memory()) == 1 && g.isContiguous();
    }

    private void hold(Tensor g) {
        if (!differentiable && !g.isNone()) {
            uses.merge(g.memory(), 1, Integer::sum);
        }
    }

    /** Hands a gradient's memory back when nothing pending shares it. */
    private void forget(Tensor g) {
        if (!differentiable && g != null && !g.isNone() && uses.merge(g.memory(), -1, Integer::sum) == 0) {
            uses.remove(g.memory());
            scope.release(g);
        }
    }

    /** What a rule sees of its node. */
    private final class Rule extends Backward {
        private final Node node;
        private final Tensor[] g;

        Rule(Node node, Tensor[] g) {
            this.node = node;
            this.g = g;
        }

        private Tensor shown(Tensor t) {
            return differentiable ? t : t.detach();
        }

        @Override
        public int inputs() {
            return node.inputs().size();
        }

        @Override
        public Tensor in(int i) {
            return shown(node.inputs().get(i));
        }

        @Override
        public Tensor out(int i) {
            return shown(node.outputs().get(i));
        }

        @Override
        public Tensor g(int i) {
            Tensor out = node.outputs().get(i);
            return g[i] == null ? Tensor.zeros(out.dtype(), out.shape()) : g[i];
        }

        @Override
        public boolean flows(int i) {
            return g[i] != null;
        }

        @Override
        public boolean needs(int i) {
            return node.inputs().get(i).dtype().isFloat() && leads(node.inputs().get(i));
        }

        @Override
        public boolean differentiable() {
            return differentiable;
        }

        @Override
        public List<Tensor> through(Function<Tensor[], List<Tensor>> composition) {
            Tensor[] inputs = new Tensor[inputs()];
            List<Tensor> starts = new ArrayList<>();
            for (int i = 0; i < inputs.length; i++) {
                Tensor x = in(i);
                if (needs(i)) {
                    // A tensor object of its own, so that the inner sweep ends here.
                    inputs[i] = x.tracked() ? x.reshape(x.shape()) : x.track();
                    starts.add(inputs[i]);
                } else {
                    inputs[i] = x.detach();
                }
            }
            List<Tensor> ys = new ArrayList<>();
            List<Tensor> gs = new ArrayList<>();
            List<Tensor> outputs = composition.apply(inputs);
            for (int i = 0; i < outputs.size(); i++) {
                if (g[i] != null && outputs.get(i).tracked()) {
                    ys.add(outputs.get(i));
                    gs.add(g[i]);
                }
            }
            List<Tensor> found = differentiable ? Sweep.differentiable(ys, gs, starts) : Sweep.plain(ys, gs, starts);
            List<Tensor> gradients = new ArrayList<>();
            int next = 0;
            for (int i = 0; i < inputs.length; i++) {
                gradients.add(needs(i) ? found.get(next++) : none());
            }
            return gradients;
        }
    }
}
