namespace Dataflow.Model;

/// <summary>The A and B of some rows of a matrix: those of one tensor of a checkpoint.</summary>
/// <param name="Matrix">Whose rows: the matrix of several tensors has one A, in which their rows follow each other.</param>
/// <param name="Part">Which of its tensors.</param>
/// <param name="FirstRow">Of the matrix.</param>
/// <param name="Rows">So many of its rows: of the matrix, and of B.</param>
/// <param name="FirstRank">Of the matrix's A, the first row that is this one's.</param>
/// <param name="Rank">Rows of A, columns of B.</param>
/// <param name="ExactScale">What B (A x) is multiplied by.</param>
public readonly record struct AdaptedRows(WeightName Matrix, int Part, long FirstRow, long Rows, int FirstRank, int Rank, double ExactScale)
{
    /// <summary>Its rows of W + scale B A have lengths of their own, which are trained (DoRA).</summary>
    public bool HasMagnitude { get; init; }

    /// <summary>The share of A's inputs that training leaves out.</summary>
    public double Dropout { get; init; }

    /// <summary>Rows of the whole matrix; of experts those of one.</summary>
    public required long MatrixRows { get; init; }

    /// <summary>
    /// Of experts, how many: rows and ranks are those of one of them, and so of each, and A and B have those of one expert behind the
    /// other. 0: the matrix is that of no expert.
    /// </summary>
    public int Experts { get; init; }

    /// <summary>
    /// A checkpoint has one tensor of all experts, and an adapter's file one A and one B: the name of the module that they are of. Null:
    /// each of the checkpoint's tensors has its own.
    /// </summary>
    public string? Stack { get; init; }

    /// <summary>What kernels multiply by.</summary>
    public float Scale => (float)ExactScale;

    /// <summary>[ranks, in] of all tensors of the matrix.</summary>
    public WeightName A => NameOfA(Matrix);

    /// <summary>[rows, rank].</summary>
    public WeightName B =>
        (Matrix, Part) switch
        {
            (WeightName.Qkv, 0) => WeightName.QueryB,
            (WeightName.Qkv, 1) => WeightName.KeyB,
            (WeightName.Qkv, 2) => WeightName.ValueB,
            (WeightName.AttentionOut, _) => WeightName.AttentionOutB,
            (WeightName.GateUp, 0) => WeightName.GateB,
            (WeightName.GateUp, 1) => WeightName.UpB,
            (WeightName.Down, _) => WeightName.DownB,
            (WeightName.RecurrenceIn, >= 0 and <= 5) => WeightName.RecurrenceInFirstB + Part,
            (WeightName.RecurrenceOut, _) => WeightName.RecurrenceOutB,
            (WeightName.ConvolutionIn, _) => WeightName.ConvolutionInB,
            (WeightName.ConvolutionOut, _) => WeightName.ConvolutionOutB,
            (WeightName.ExpertGateUp, 0) => WeightName.ExpertGateB,
            (WeightName.ExpertGateUp, 1) => WeightName.ExpertUpB,
            (WeightName.ExpertDown, _) => WeightName.ExpertDownB,
            (WeightName.HeadMatrix, _) => WeightName.HeadB,
            (WeightName.EmbeddingTable, _) => WeightName.EmbeddingB,
            _ => throw new InvalidOperationException($"{Matrix} has no adapter"),
        };

    /// <summary>[rows], where it has one.</summary>
    public WeightName Magnitude =>
        B switch
        {
            WeightName.QueryB => WeightName.QueryMagnitude,
            WeightName.KeyB => WeightName.KeyMagnitude,
            WeightName.ValueB => WeightName.ValueMagnitude,
            WeightName.AttentionOutB => WeightName.AttentionOutMagnitude,
            WeightName.GateB => WeightName.GateMagnitude,
            WeightName.UpB => WeightName.UpMagnitude,
            WeightName.DownB => WeightName.DownMagnitude,
            _ => throw new InvalidOperationException($"{Matrix} has no magnitudes"),
        };

    /// <summary>The A of a matrix.</summary>
    public static WeightName NameOfA(WeightName matrix) =>
        matrix switch
        {
            WeightName.Qkv => WeightName.QkvA,
            WeightName.AttentionOut => WeightName.AttentionOutA,
            WeightName.GateUp => WeightName.GateUpA,
            WeightName.Down => WeightName.DownA,
            WeightName.RecurrenceIn => WeightName.RecurrenceInA,
            WeightName.RecurrenceOut => WeightName.RecurrenceOutA,
            WeightName.ConvolutionIn => WeightName.ConvolutionInA,
            WeightName.ConvolutionOut => WeightName.ConvolutionOutA,
            WeightName.ExpertGateUp => WeightName.ExpertGateUpA,
            WeightName.ExpertDown => WeightName.ExpertDownA,
            WeightName.HeadMatrix => WeightName.HeadA,
            WeightName.EmbeddingTable => WeightName.EmbeddingA,
            _ => throw new InvalidOperationException($"{matrix} has no adapter"),
        };

    /// <summary>Matrices of a layer that may have one: what "all-linear" means.</summary>
    public static bool MayAdaptInLayer(WeightName matrix) =>
        matrix is WeightName.Qkv or WeightName.AttentionOut or WeightName.GateUp or WeightName.Down || IsOfState(matrix);

    /// <summary>It is of what stands in attention's place.</summary>
    public static bool IsOfState(WeightName matrix) =>
        matrix is WeightName.RecurrenceIn or WeightName.RecurrenceOut or WeightName.ConvolutionIn or WeightName.ConvolutionOut;

    /// <summary>The matrices of experts.</summary>
    public static bool IsOfExperts(WeightName matrix) => matrix is WeightName.ExpertGateUp or WeightName.ExpertDown;

    /// <summary>Matrices that may have one.</summary>
    public static bool MayAdapt(WeightName matrix) =>
        MayAdaptInLayer(matrix) || IsOfExperts(matrix) || matrix is WeightName.HeadMatrix or WeightName.EmbeddingTable;
}
