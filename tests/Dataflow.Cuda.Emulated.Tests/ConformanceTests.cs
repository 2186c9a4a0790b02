using Dataflow.Conformance;

namespace Dataflow.Cuda.Emulated.Tests;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class GradientTests : GradientConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class TrajectoryTests : TrajectoryConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class StepShapeTests : StepShapeConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class EquivalenceTests : EquivalenceConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class SegmentTests : SegmentConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class VocabularyTests : VocabularyConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class ValidationTests : ValidationConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class RecordTests : RecordConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class OptimizerTests : OptimizerConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class FrozenTypeTests : FrozenTypeConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class FamilyTests : FamilyConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class GenerationTests : GenerationConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class PackedPositionsTests : PackedPositionsConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class OptimizerTrajectoryTests : OptimizerTrajectoryConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class GroupTests : GroupConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class FrozenTests : FrozenConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class SharedKvTests : SharedKvConformance<EmulatedDevices>;

public sealed class LayerInputsTests : LayerInputsConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class StateTests : StateConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class ExpertTests : ExpertConformance<EmulatedDevices>;

public sealed class EightBitMomentsTests : EightBitMomentsConformance<EmulatedKernels>;

[Trait("Slow", "true")]
public sealed class MuonTests : MuonConformance<EmulatedKernels>;
[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class NonFiniteTests : NonFiniteConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class WatchTests : WatchConformance<EmulatedDevices>;
[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class TargetWeightTests : TargetWeightConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class AccumulationTests : AccumulationConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class AttentionTests : AttentionConformance<EmulatedDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class GraphTrajectoryTests : TrajectoryConformance<EmulatedGraphDevices>;

[Trait("Slow", "true")]
public sealed class GraphOptimizerTrajectoryTests : OptimizerTrajectoryConformance<EmulatedGraphDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class GraphStepShapeTests : StepShapeConformance<EmulatedGraphDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class GraphOptimizerTests : OptimizerConformance<EmulatedGraphDevices>;

[Trait("Slow", "true")]
public sealed class AdapterTests : AdapterConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class AdapterFamilyTests : AdapterFamilyConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class ExpertAdapterTests : ExpertAdapterConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class AdapterDropoutTests : AdapterDropoutConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class PreferenceTests : PreferenceConformance<EmulatedDevices>;

[Trait("Slow", "true")]
public sealed class BaseWeightsTests : BaseWeightsConformance<EmulatedDevices>;
