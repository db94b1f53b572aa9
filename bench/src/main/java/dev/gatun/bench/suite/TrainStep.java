package dev.gatun.bench.suite;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import dev.gatun.autograd.Autograd;
import dev.gatun.bench.layers.TorchScript;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.model.Trainer;
import dev.gatun.layers.optim.AdamW;
import dev.gatun.layers.optim.GradientClip;
import dev.gatun.layers.optim.Schedule;
import dev.gatun.ops.Random;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * One step of training the default model: bytes, 4 layers of softmax attention and SwiGLU, width 256 in 4 heads, 8 windows of
 * 256 tokens, AdamW, gradients clipped to a norm of 1. libtorch's side is {@code train-step.py}: the same model by libtorch's own
 * operations, its own differentiation and its fused AdamW, all in one call.
 */
final class TrainStep implements Case {

    private static final long BATCH = 8;
    private static final long TOKENS = 256;
    private static final LanguageModel.Config MODEL = LanguageModel.Config.of(256, 256, 4, 4);
    private static final double RATE = 1e-3;
    private static final Key KEY = Key.of(7);
    /** Steps whose losses must agree: the second and third see what the optimiser did. */
    private static final int COMPARED = 3;

    @Override
    public String group() {
        return "training";
    }

    @Override
    public String name() {
        return "step of a transformer, 8x256 bytes";
    }

    @Override
    public List<Peer> peers() {
        return List.of(Peer.values());
    }

    @Override
    public double flops() {
        long matrices = MODEL.depth() * (4 * MODEL.width() * MODEL.width() + 3 * MODEL.width() * MODEL.hidden()) + MODEL.vocab() * MODEL.width();
        double attention = MODEL.depth() * 2.0 * TOKENS * MODEL.width();
        return 3 * BATCH * TOKENS * (2.0 * matrices + attention);
    }

    /** Parameters, gradients and both moments read, all but the gradients written, and the gradients written once before. */
    @Override
    public double bytes(List<float[]> values) {
        return 8 * values.stream().skip(1).mapToDouble(value -> 4.0 * value.length).sum();
    }

    /** Sums of thousands of numbers through four layers, in other orders. */
    @Override
    public double tolerance() {
        return 2e-3;
    }

    @Override
    public Side open(Peer peer, int threads) throws IOException {
        return peer.torch() ? new Torch() : new Gatun(threads, peer == Peer.ONEDNN);
    }

    private static LanguageModel model() {
        return new LanguageModel(Params.fresh(KEY.child("model"), DType.F32), MODEL);
    }

    private static Trainer.Batch batch() {
        Shape shape = Shape.of(BATCH, TOKENS);
        return new Trainer.Batch(Random.integers(KEY.child("ids"), shape, 0, MODEL.vocab()), Random.integers(KEY.child("targets"), shape, 0, MODEL.vocab()));
    }

    private static Trainer trainer(LanguageModel model, Trainer.Batch batch) {
        return new Trainer(model, new AdamW(model.params(), AdamW.Settings.DEFAULT), Schedule.constant(RATE), (key, index) -> batch, KEY, 1);
    }

    /** Our side, by the trainer that {@code gatun train} has. */
    private static final class Gatun implements Side {

        private final Scope scope = Scope.open("train step");
        private final Trainer.Batch batch = batch();
        private final Trainer trainer = trainer(model(), batch);
        private final int threads;
        private final boolean oneDnn;

        Gatun(int threads, boolean oneDnn) {
            this.threads = threads;
            this.oneDnn = oneDnn;
            try (Entered ignored = enter()) {
                BringUp.run(this::run);
            }
        }

        @Override
        public Entered enter() {
            return GatunSide.enter(threads, oneDnn);
        }

        @Override
        public Object run() {
            return trainer.step();
        }

        @Override
        public List<float[]> values() {
            try (Entered ignored = enter(); Scope values = Scope.open("values")) {
                LanguageModel fresh = model();
                Trainer own = trainer(fresh, batch);
                List<float[]> all = new ArrayList<>();
                float[] losses = new float[COMPARED];
                all.add(losses);
                List<Tensor> gradients = Autograd.grad(fresh.loss(batch.ids(), batch.targets()), fresh.params().values());
                GradientClip.clip(gradients, 1).gradients().forEach(g -> all.add(g.toFloats()));
                for (int i = 0; i < COMPARED; i++) {
                    losses[i] = (float) own.step().loss();
                }
                return all;
            }
        }

        @Override
        public void close() {
            scope.close();
        }
    }

    /** libtorch's side. */
    private static final class Torch implements Side {

        private final NDManager manager = NDManager.newBaseManager("PyTorch");
        private final TorchScript script = new TorchScript(manager, "train-step", TorchScript.source("train-step"));
        private int parameters;
        private NDList arguments = arguments();

        Torch() throws IOException {}

        /** Batch, number of the step, parameters and both moments, as they are before the first step. */
        private NDList arguments() {
            try (Scope scope = Scope.open("arguments")) {
                Trainer.Batch batch = batch();
                NDList all = new NDList(TorchSide.array(manager, batch.ids(), false), TorchSide.array(manager, batch.targets(), false),
                        manager.create(new float[] {0}));
                List<Tensor> values = model().params().values();
                parameters = values.size();
                for (String list : List.of("parameters[]", "means[]", "squares[]")) {
                    for (Tensor parameter : values) {
                        boolean first = list.startsWith("p");
                        NDArray array = TorchSide.array(manager, first ? parameter : Tensor.zeros(DType.F32, parameter.shape()), first);
                        array.setName(list);
                        all.add(array);
                    }
                }
                return all;
            }
        }

        @Override
        public Entered enter() {
            return TorchSide.recording();
        }

        @Override
        public Object run() {
            try (NDList values = script.run(arguments)) {
                return values.head().getFloat();
            }
        }

        @Override
        public List<float[]> values() {
            List<float[]> all = new ArrayList<>();
            float[] losses = new float[COMPARED];
            all.add(losses);
            try (Entered ignored = enter()) {
                for (int i = 0; i < COMPARED; i++) {
                    try (NDList values = script.run(arguments)) {
                        losses[i] = values.head().getFloat();
                        if (i == 0) {
                            values.stream().skip(2).limit(parameters).forEach(g -> all.add(g.toFloatArray()));
                        }
                    }
                }
            }
            arguments.close();
            arguments = arguments();
            return all;
        }

        @Override
        public void close() {
            script.close();
            manager.close();
        }
    }
}
