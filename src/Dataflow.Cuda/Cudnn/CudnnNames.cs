namespace Dataflow.Cuda;

/// <summary>cudnnBackendDescriptorType_t: the descriptors that attention takes.</summary>
public enum CudnnDescriptorType
{
    /// <summary>A pointwise function.</summary>
    Pointwise = 0,

    /// <summary>An engine asked for by its number.</summary>
    Engine = 2,

    /// <summary>An engine with its settings.</summary>
    EngineConfiguration = 3,

    /// <summary>The engines that the library proposes.</summary>
    EngineHeuristics = 4,

    /// <summary>A configuration made ready to run.</summary>
    ExecutionPlan = 5,

    /// <summary>A setting of an engine.</summary>
    KnobChoice = 7,

    /// <summary>A pointwise function of tensors.</summary>
    OperationPointwise = 13,

    /// <summary>Operations in their order.</summary>
    OperationGraph = 15,

    /// <summary>Pointers of one run.</summary>
    VariantPack = 16,

    /// <summary>A tensor.</summary>
    Tensor = 17,

    /// <summary>A matrix product.</summary>
    Matmul = 18,

    /// <summary>A matrix product of tensors.</summary>
    OperationMatmul = 19,

    /// <summary>A reduction.</summary>
    Reduction = 21,

    /// <summary>A reduction of a tensor.</summary>
    OperationReduction = 22,

    /// <summary>A tensor's elements in other dimensions.</summary>
    OperationReshape = 31,

    /// <summary>What a GPU is.</summary>
    DeviceProperties = 38,
}

/// <summary>cudnnBackendAttributeType_t: what an attribute's elements are.</summary>
public enum CudnnAttributeType
{
    /// <summary>A library handle.</summary>
    Handle = 0,

    /// <summary><see cref="CudnnDataType"/>, 4 bytes.</summary>
    DataType = 1,

    /// <summary>1 byte.</summary>
    Boolean = 2,

    /// <summary>8 bytes.</summary>
    Int64 = 3,

    /// <summary>4 bytes.</summary>
    Float = 4,

    /// <summary>8 bytes.</summary>
    Double = 5,

    /// <summary>A pointer.</summary>
    Pointer = 6,

    /// <summary>Which heuristics, 4 bytes.</summary>
    HeuristicsMode = 8,

    /// <summary>Which setting of an engine, 4 bytes.</summary>
    KnobType = 9,

    /// <summary><see cref="CudnnPointwiseMode"/>, 4 bytes.</summary>
    PointwiseMode = 14,

    /// <summary>Another descriptor.</summary>
    Descriptor = 15,

    /// <summary><see cref="CudnnReductionOperator"/>, 4 bytes.</summary>
    ReductionOperator = 18,

    /// <summary>4 bytes.</summary>
    Int32 = 23,

    /// <summary>A byte of text.</summary>
    Char = 24,
}

/// <summary>cudnnDataType_t.</summary>
public enum CudnnDataType
{
    /// <summary>binary32.</summary>
    Float = 0,

    /// <summary>32 bits with sign.</summary>
    Int32 = 4,

    /// <summary>bfloat16.</summary>
    BFloat16 = 9,

    /// <summary>Outcomes of comparisons.</summary>
    Boolean = 11,
}

/// <summary>cudnnPointwiseMode_t.</summary>
public enum CudnnPointwiseMode
{
    /// <summary>x + b.</summary>
    Add = 0,

    /// <summary>x b.</summary>
    Multiply = 1,

    /// <summary>The larger.</summary>
    Maximum = 3,

    /// <summary>x / b.</summary>
    Divide = 6,

    /// <summary>x - b.</summary>
    Subtract = 9,

    /// <summary>e to the x.</summary>
    Exponential = 13,

    /// <summary>ln x.</summary>
    Logarithm = 15,

    /// <summary>x, in another type.</summary>
    Identity = 21,

    /// <summary>tanh x.</summary>
    Tanh = 101,

    /// <summary>dy (1 - tanh(x)^2).</summary>
    TanhBackward = 201,

    /// <summary>x above b.</summary>
    Greater = 302,

    /// <summary>x not below b.</summary>
    GreaterOrEqual = 303,

    /// <summary>x below b.</summary>
    Less = 304,

    /// <summary>x and b.</summary>
    And = 400,

    /// <summary>An element's place along an axis.</summary>
    Index = 501,

    /// <summary>x where the predicate holds, else b.</summary>
    Select = 601,
}

/// <summary>cudnnReduceTensorOp_t.</summary>
public enum CudnnReductionOperator
{
    /// <summary>The sum.</summary>
    Add = 0,

    /// <summary>The largest.</summary>
    Maximum = 3,
}
