namespace Dataflow.Model;

/// <summary>
/// The closed catalog of kernels. A device implements each; the same name is a .cu file, a CPU file, a test and a benchmark.
/// </summary>
public enum Kernel
{
    /// <summary>x [T, D] = rows of the table [vocabulary, D] by token id.</summary>
    EmbeddingForward,

    /// <summary>Adds rows of dx [T, D] to the rows of the table's gradient by token id.</summary>
    EmbeddingBackward,

    /// <summary>y = x rstd w, with rstd [T] of the rows of x [T, D].</summary>
    RmsNormForward,

    /// <summary>dx [T, D], plus an addend, and dw (+)= its gradient [D], summed over tokens.</summary>
    RmsNormBackward,

    /// <summary>y = (x - mean) rstd w + b, with mean and rstd [T, 2] of the rows of x [T, D].</summary>
    LayerNormForward,

    /// <summary>dx [T, D], plus an addend, and dw and db (+)= their gradients [D], summed over tokens.</summary>
    LayerNormBackward,

    /// <summary>c = a b^T: reads a, b and optionally an addend and a bias; an activation times a weight.</summary>
    GemmForward,

    /// <summary>c (+)= a b: a gradient times a weight.</summary>
    GemmInputGradient,

    /// <summary>c (+)= a^T b: a gradient times an activation, summed over tokens.</summary>
    GemmWeightGradient,

    /// <summary>c [out] (+)= the sum of a [T, out] over tokens: the gradient of a bias.</summary>
    ColumnSum,

    /// <summary>A dense copy [out, in], in the recipe's type, of a weight that is stored in a type of its own.</summary>
    Dequantize,

    /// <summary>Q [T, q] and K|V [T, 2 kv] of the raw Q|K|V: norm of each head where the model has it, then rotation.</summary>
    QkNormRopeForward,

    /// <summary>Gradient of the raw Q|K|V [T, q + 2 kv] from those of Q, K and V.</summary>
    QkNormRopeBackward,

    /// <summary>Output [T, q] and logsumexp [heads, T] of causal attention within documents, over the whole window.</summary>
    AttentionForward,

    /// <summary>dQ [T, q], and dK|dV (+)= over the window's rows up to the chunk's last.</summary>
    AttentionBackward,

    /// <summary>Attention against one segment of the window: updates what is carried from segment to segment.</summary>
    AttentionSegmentForward,

    /// <summary>Output and logsumexp from what was carried over all segments.</summary>
    AttentionNormalize,

    /// <summary>Attention's backward against one segment: its dK and dV, and its part of dQ, which is carried in fp32.</summary>
    AttentionSegmentBackward,

    /// <summary>dQ from what was carried over all segments, rounded from fp32.</summary>
    AttentionRounding,

    /// <summary>y [R, C] = those rows of x that are named.</summary>
    GatherRows,

    /// <summary>Puts the rows of x [R, C] in place of those rows of y that are named.</summary>
    ScatterRows,

    /// <summary>y [T, D] = c conv(b h), of b|c|h [T, 3 D]: a causal convolution of each column alone, within documents.</summary>
    GatedConvolutionForward,

    /// <summary>Gradients of b|c|h [T, 3 D], of the taps and of what came before the chunk.</summary>
    GatedConvolutionBackward,

    /// <summary>y [T, C] = silu(conv(x)): a causal convolution of each column alone, within documents.</summary>
    CausalConvolutionForward,

    /// <summary>Gradients of x [T, C], of the taps and of what came before the chunk.</summary>
    CausalConvolutionBackward,

    /// <summary>y [T, heads x width] of states that tokens change and read, by the gated delta rule, within documents.</summary>
    LinearRecurrenceForward,

    /// <summary>Gradients of all that the states are made of, and of the state before the chunk.</summary>
    LinearRecurrenceBackward,

    /// <summary>y = w x rstd silu(z), with rstd of each head's part of the rows of x [T, heads x width].</summary>
    GatedNormForward,

    /// <summary>Gradients of x and z [T, heads x width] and of w [width].</summary>
    GatedNormBackward,

    /// <summary>y [T, q] = x sigma(gate).</summary>
    OutputGateForward,

    /// <summary>Gradients of x and of the gate [T, q].</summary>
    OutputGateBackward,

    /// <summary>ffn [T, F] = activation(gate) up, of gate|up [T, 2 F].</summary>
    GatedActivationForward,

    /// <summary>In place: the gradient of ffn becomes ffn, gate|up become their gradients.</summary>
    GatedActivationBackward,

    /// <summary>ffn [T, F] = activation(up), of up [T, F].</summary>
    UngatedActivationForward,

    /// <summary>In place: the gradient of ffn becomes ffn, up becomes its gradient.</summary>
    UngatedActivationBackward,

    /// <summary>The loss of a sub-chunk, and the gradient of its logits [head tokens, vocabulary].</summary>
    CrossEntropy,

    /// <summary>Folds the logits of a block of the vocabulary into the statistics of their rows.</summary>
    CrossEntropyStatistics,

    /// <summary>The loss from statistics over the whole vocabulary.</summary>
    CrossEntropyLoss,

    /// <summary>The gradient of a block's logits from statistics over the whole vocabulary.</summary>
    CrossEntropyGradient,

    /// <summary>Adds log-probabilities of a chunk's targets to the sums of their documents, from statistics over the vocabulary.</summary>
    PreferenceSums,

    /// <summary>The weight of each target in the loss of its pair, from the sums of both.</summary>
    PreferenceWeights,

    /// <summary>The optimizer's update of a run of a parameter object's elements, whichever optimizer it is.</summary>
    Update,

    /// <summary>The update of blocks whose moments are bytes, which a CPU's arithmetic limits more than its memory.</summary>
    AdamW8Bit,

    /// <summary>Sum of squares of a gradient, for the global norm.</summary>
    SquaredSum,

    /// <summary>Muon: the momentum of a whole matrix, what is made orthogonal of it, and the sum of squares of that.</summary>
    MuonMomentum,

    /// <summary>Muon: divides a matrix by its Frobenius norm.</summary>
    MuonNormalize,

    /// <summary>Muon: moves weights along a matrix that was made orthogonal.</summary>
    MuonApply,

    /// <summary>Sets bytes to zero.</summary>
    Zero,

    /// <summary>DoRA: magnitude / ||W + scale B A|| of rows of a matrix, and 1 / ||W + scale B A||.</summary>
    DoraScales,

    /// <summary>DoRA: a product's columns times their factors.</summary>
    DoraForward,

    /// <summary>DoRA: the gradient of the product before that, and that of the magnitudes.</summary>
    DoraBackward,

    /// <summary>Numbers [T, in] of which some are left out at random, and the others made larger by as much.</summary>
    Dropout,

    /// <summary>Chooses the experts of each token by logits [T, E], and orders the rows that they compute by expert.</summary>
    Routing,

    /// <summary>Adds up how often each expert is chosen, and its probabilities.</summary>
    ExpertLoad,

    /// <summary>Adds the load-balancing loss to a chunk's.</summary>
    ExpertLoadLoss,

    /// <summary>The gradient of the logits [T, E] from those of the weights [T K], and of the load-balancing loss.</summary>
    RoutingBackward,

    /// <summary>c [R, out] = a b^T with the matrix of each row's expert; rows are ordered by expert.</summary>
    GroupedGemmForward,

    /// <summary>c [R, in] = a b, likewise.</summary>
    GroupedGemmInputGradient,

    /// <summary>c [E, out, in] (+)= a^T b, of each expert over its rows.</summary>
    GroupedGemmWeightGradient,

    /// <summary>ffn [R, F] = w activation(gate) up, of gate|up [R, 2 F], with a weight for each row.</summary>
    WeightedActivationForward,

    /// <summary>In place: the gradient of ffn becomes ffn, gate|up become their gradients; and the gradient of the weights.</summary>
    WeightedActivationBackward,

    /// <summary>y [T, C] = an addend + scale times the sum of K named rows of x for each token.</summary>
    SumRows,

    /// <summary>Keys and values [T, 2 kv] of latent attention, of what is each head's own and what is one for all.</summary>
    JoinHeads,

    /// <summary>The gradients of these from those of keys and values.</summary>
    SplitHeads,

    /// <summary>Columns of heads [T, heads x width], as heads of another width.</summary>
    ResizeHeads,

    /// <summary>x [T, D] times one number, in place.</summary>
    Scale,

    /// <summary>The weights [R] of routed rows times a number of their expert's.</summary>
    ExpertScaleForward,

    /// <summary>The gradients of the weights [R] and of the experts' numbers [E].</summary>
    ExpertScaleBackward,

    /// <summary>In place: x [R, C] + w b, with the bias of each row's group.</summary>
    GroupedBiasForward,

    /// <summary>The gradients of the biases [G, C] and of the weights [R].</summary>
    GroupedBiasBackward,

    /// <summary>In place: attention's output [T, q] and logsumexp [heads, T], one more logit a head in the softmax.</summary>
    AttentionSinkForward,

    /// <summary>The gradient of these logits [heads].</summary>
    AttentionSinkBackward,

    /// <summary>y [T, P] = activation(gate) x, of some columns of a wider x.</summary>
    InputGateForward,

    /// <summary>In place: the gradient of y becomes y, the gate its gradient; and the gradient of x [T, P].</summary>
    InputGateBackward,
}
