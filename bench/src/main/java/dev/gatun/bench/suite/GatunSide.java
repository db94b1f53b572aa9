package dev.gatun.bench.suite;

import dev.gatun.autograd.Autograd;
import dev.gatun.bench.layers.Core;
import dev.gatun.engine.Backend;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** Our engine, with or without oneDNN's kernels. */
final class GatunSide implements Side {

    private final Scope scope;
    private final Function<List<Tensor>, Tensor> function;
    private final List<Tensor> inputs = new ArrayList<>();
    private final List<Tensor> leaves = new ArrayList<>();
    private final List<Core.Input> initial;
    private final Tensor cotangent;
    private final int threads;
    private final boolean oneDnn;

    GatunSide(OpCase of, int threads, boolean oneDnn) {
        this.scope = Scope.open(of.name());
        this.function = of.gatun();
        this.threads = threads;
        this.oneDnn = oneDnn;
        for (Core.Input input : of.inputs()) {
            Tensor x = input.make();
            if (of.gradients() && input.tracked()) {
                x = x.track();
                leaves.add(x);
            }
            inputs.add(x);
        }
        this.initial = of.inPlace() ? of.inputs() : List.of();
        this.cotangent = of.gradients() ? of.cotangent(inputs) : null;
        try (Entered ignored = enter()) {
            BringUp.run(this::run);
        }
    }

    @Override
    public Entered enter() {
        return enter(threads, oneDnn);
    }

    /** Our kernels, with oneDNN's or without, on so many threads. */
    static Entered enter(int threads, boolean oneDnn) {
        Parallel.Limit limit = Parallel.limit(threads);
        Backend.Narrowed only = oneDnn
                ? Backend.only(Backend.ONEDNN, Backend.VECTOR, Backend.SCALAR, Backend.REFERENCE)
                : Backend.only(Backend.VECTOR, Backend.SCALAR, Backend.REFERENCE);
        return () -> {
            only.close();
            limit.close();
        };
    }

    @Override
    public Object run() {
        try (Scope run = Scope.open("run")) {
            return compute().getFirst().shape();
        }
    }

    @Override
    public List<float[]> values() {
        try (Entered ignored = enter(); Scope run = Scope.open("values")) {
            for (int i = 0; i < initial.size(); i++) {
                Dispatch.overwrite(initial.get(i).make(), inputs.get(i));
            }
            return compute().stream().map(Tensor::toFloats).toList();
        }
    }

    private List<Tensor> compute() {
        Tensor y = function.apply(inputs);
        if (cotangent == null) {
            return List.of(y);
        }
        List<Tensor> all = new ArrayList<>(List.of(y));
        all.addAll(Autograd.grad(List.of(y), List.of(cotangent), leaves));
        return all;
    }

    @Override
    public void close() {
        scope.close();
    }
}
