/** Parameters, layers, models, optimisers and their files. */
module dev.gatun.layers {
    requires transitive dev.gatun.ops;
    requires transitive dev.gatun.autograd;

    exports dev.gatun.layers;
    exports dev.gatun.layers.io;
    exports dev.gatun.layers.memory;
    exports dev.gatun.layers.model;
    exports dev.gatun.layers.optim;
}
