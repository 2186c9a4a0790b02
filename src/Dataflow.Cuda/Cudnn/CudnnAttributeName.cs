namespace Dataflow.Cuda;

/// <summary>cudnnBackendAttributeName_t: the attributes that attention takes, under the header's names.</summary>
public enum CudnnAttributeName
{
    /// <summary>CUDNN_ATTR_POINTWISE_MODE.</summary>
    PointwiseMode = 0,

    /// <summary>CUDNN_ATTR_POINTWISE_MATH_PREC.</summary>
    PointwiseMathPrecision = 1,

    /// <summary>CUDNN_ATTR_POINTWISE_AXIS.</summary>
    PointwiseAxis = 9,

    /// <summary>CUDNN_ATTR_ENGINEHEUR_MODE.</summary>
    EngineHeuristicsMode = 200,

    /// <summary>CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH.</summary>
    EngineHeuristicsOperationGraph = 201,

    /// <summary>CUDNN_ATTR_ENGINEHEUR_RESULTS.</summary>
    EngineHeuristicsResults = 202,

    /// <summary>CUDNN_ATTR_ENGINECFG_ENGINE.</summary>
    EngineConfigurationEngine = 300,

    /// <summary>CUDNN_ATTR_ENGINECFG_KNOB_CHOICES.</summary>
    EngineConfigurationKnobChoices = 302,

    /// <summary>CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE.</summary>
    EngineConfigurationWorkspaceSize = 303,

    /// <summary>CUDNN_ATTR_EXECUTION_PLAN_HANDLE.</summary>
    ExecutionPlanHandle = 400,

    /// <summary>CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG.</summary>
    ExecutionPlanEngineConfiguration = 401,

    /// <summary>CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE.</summary>
    ExecutionPlanWorkspaceSize = 402,

    /// <summary>CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE.</summary>
    KnobChoiceType = 600,

    /// <summary>CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE.</summary>
    KnobChoiceValue = 601,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR.</summary>
    OperationPointwiseDescriptor = 750,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_XDESC.</summary>
    OperationPointwiseX = 751,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_BDESC.</summary>
    OperationPointwiseB = 752,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_YDESC.</summary>
    OperationPointwiseY = 753,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1.</summary>
    OperationPointwiseAlpha1 = 754,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2.</summary>
    OperationPointwiseAlpha2 = 755,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_DXDESC.</summary>
    OperationPointwiseGradX = 756,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_DYDESC.</summary>
    OperationPointwiseGradY = 757,

    /// <summary>CUDNN_ATTR_OPERATION_POINTWISE_TDESC.</summary>
    OperationPointwisePredicate = 758,

    /// <summary>CUDNN_ATTR_OPERATIONGRAPH_OPS.</summary>
    OperationGraphOperations = 801,

    /// <summary>CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT.</summary>
    TensorByteAlignment = 900,

    /// <summary>CUDNN_ATTR_TENSOR_DATA_TYPE.</summary>
    TensorDataType = 901,

    /// <summary>CUDNN_ATTR_TENSOR_DIMENSIONS.</summary>
    TensorDimensions = 902,

    /// <summary>CUDNN_ATTR_TENSOR_STRIDES.</summary>
    TensorStrides = 903,

    /// <summary>CUDNN_ATTR_TENSOR_UNIQUE_ID.</summary>
    TensorUniqueId = 906,

    /// <summary>CUDNN_ATTR_TENSOR_IS_VIRTUAL.</summary>
    TensorIsVirtual = 907,

    /// <summary>CUDNN_ATTR_TENSOR_IS_BY_VALUE.</summary>
    TensorIsByValue = 908,

    /// <summary>CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC.</summary>
    TensorRaggedOffset = 913,

    /// <summary>CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS.</summary>
    VariantPackUniqueIds = 1000,

    /// <summary>CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS.</summary>
    VariantPackDataPointers = 1001,

    /// <summary>CUDNN_ATTR_VARIANT_PACK_WORKSPACE.</summary>
    VariantPackWorkspace = 1003,

    /// <summary>CUDNN_ATTR_ENGINE_OPERATION_GRAPH.</summary>
    EngineOperationGraph = 1300,

    /// <summary>CUDNN_ATTR_ENGINE_GLOBAL_INDEX.</summary>
    EngineGlobalIndex = 1301,

    /// <summary>CUDNN_ATTR_MATMUL_COMP_TYPE.</summary>
    MatmulComputeType = 1500,

    /// <summary>CUDNN_ATTR_MATMUL_PADDING_VALUE.</summary>
    MatmulPaddingValue = 1503,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_ADESC.</summary>
    OperationMatmulA = 1520,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_BDESC.</summary>
    OperationMatmulB = 1521,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_CDESC.</summary>
    OperationMatmulC = 1522,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_DESC.</summary>
    OperationMatmulDescriptor = 1523,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_GEMM_M_OVERRIDE_DESC.</summary>
    OperationMatmulRows = 1525,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_GEMM_N_OVERRIDE_DESC.</summary>
    OperationMatmulColumns = 1526,

    /// <summary>CUDNN_ATTR_OPERATION_MATMUL_GEMM_K_OVERRIDE_DESC.</summary>
    OperationMatmulInner = 1527,

    /// <summary>CUDNN_ATTR_REDUCTION_OPERATOR.</summary>
    ReductionOperator = 1600,

    /// <summary>CUDNN_ATTR_REDUCTION_COMP_TYPE.</summary>
    ReductionComputeType = 1601,

    /// <summary>CUDNN_ATTR_OPERATION_REDUCTION_XDESC.</summary>
    OperationReductionX = 1610,

    /// <summary>CUDNN_ATTR_OPERATION_REDUCTION_YDESC.</summary>
    OperationReductionY = 1611,

    /// <summary>CUDNN_ATTR_OPERATION_REDUCTION_DESC.</summary>
    OperationReductionDescriptor = 1612,

    /// <summary>CUDNN_ATTR_OPERATION_RESHAPE_XDESC.</summary>
    OperationReshapeX = 2200,

    /// <summary>CUDNN_ATTR_OPERATION_RESHAPE_YDESC.</summary>
    OperationReshapeY = 2201,

    /// <summary>CUDNN_ATTR_DEVICEPROP_DEVICE_ID.</summary>
    DevicePropertiesId = 2700,

    /// <summary>CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION.</summary>
    DevicePropertiesText = 2702,
}
