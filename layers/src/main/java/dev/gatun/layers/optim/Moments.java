package dev.gatun.layers.optim;

import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.algebra.Fill;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/** What an optimiser remembers of each parameter, zero at first, and how many steps it made. */
final class Moments {

    private final SequencedMap<String, Tensor> all = new LinkedHashMap<>();
    private final Tensor steps = zeros(new Spec(DType.I64, Shape.of()), Device.cpu());

    Moments(String name) {
        all.put(name + ".steps", steps);
    }

    /** A tensor for each parameter, with its shape. */
    List<Tensor> each(String name, SequencedMap<String, Tensor> parameters) {
        List<Tensor> moments = new ArrayList<>();
        parameters.forEach((of, parameter) -> {
            Tensor moment = zeros(parameter.spec(), parameter.device());
            all.put(name + "." + of, moment);
            moments.add(moment);
        });
        return moments;
    }

    /** Counts a step and returns its number; the first is 1. */
    long next() {
        long step = (long) steps.item() + 1;
        fill(steps, step);
        return step;
    }

    SequencedMap<String, Tensor> all() {
        return all;
    }

    private static Tensor zeros(Spec spec, Device device) {
        Tensor zeros = Tensor.lasting(spec, device);
        fill(zeros, 0);
        return zeros;
    }

    private static void fill(Tensor target, double value) {
        Dispatch.overwrite(new Fill(target.spec(), value, 0), List.of(), List.of(target));
    }

    /** Refuses gradients that are not those of the parameters, before any is used. */
    static void check(String optimizer, List<Tensor> gradients, SequencedMap<String, Tensor> parameters) {
        if (gradients.size() != parameters.size()) {
            throw new IllegalArgumentException(optimizer + ": " + gradients.size() + " gradients for " + parameters.size() + " parameters");
        }
        int i = 0;
        for (var parameter : parameters.entrySet()) {
            Tensor gradient = gradients.get(i++);
            if (!gradient.spec().equals(parameter.getValue().spec())) {
                throw new IllegalArgumentException(optimizer + ": the gradient of \"" + parameter.getKey() + "\" is " + gradient.spec()
                        + ", the parameter " + parameter.getValue().spec());
            }
        }
    }
}
