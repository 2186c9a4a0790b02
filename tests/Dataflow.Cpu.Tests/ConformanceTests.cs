using Dataflow.Conformance;

namespace Dataflow.Cpu.Tests;

public sealed class GradientTests : GradientConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class TrajectoryTests : TrajectoryConformance<CpuDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class StepShapeTests : StepShapeConformance<CpuDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class EquivalenceTests : EquivalenceConformance<CpuDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class SegmentTests : SegmentConformance<CpuDevices>;

public sealed class VocabularyTests : VocabularyConformance<CpuDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class ValidationTests : ValidationConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class RecordTests : RecordConformance<CpuDevices>;

public sealed class OptimizerTests : OptimizerConformance<CpuDevices>;

public sealed class FrozenTypeTests : FrozenTypeConformance<CpuDevices>;

[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class FamilyTests : FamilyConformance<CpuDevices>;

public sealed class PackedPositionsTests : PackedPositionsConformance<CpuDevices>;

public sealed class GenerationTests : GenerationConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class OptimizerTrajectoryTests : OptimizerTrajectoryConformance<CpuDevices>;

public sealed class GroupTests : GroupConformance<CpuDevices>;

public sealed class FrozenTests : FrozenConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class SharedKvTests : SharedKvConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class LayerInputsTests : LayerInputsConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class StateTests : StateConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class ExpertTests : ExpertConformance<CpuDevices>;

public sealed class EightBitMomentsTests : EightBitMomentsConformance<CpuKernelsUnderTest>;

public sealed class MuonTests : MuonConformance<CpuKernelsUnderTest>;
[Trait("Slow", "true")]
[Trait("Soak", "true")]
public sealed class NonFiniteTests : NonFiniteConformance<CpuDevices>;

public sealed class WatchTests : WatchConformance<CpuDevices>;
[Trait("Slow", "true")]
public sealed class TargetWeightTests : TargetWeightConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class AccumulationTests : AccumulationConformance<CpuDevices>;

public sealed class AdapterTests : AdapterConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class AdapterFamilyTests : AdapterFamilyConformance<CpuDevices>;

public sealed class ExpertAdapterTests : ExpertAdapterConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class AdapterDropoutTests : AdapterDropoutConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class PreferenceTests : PreferenceConformance<CpuDevices>;

[Trait("Slow", "true")]
public sealed class BaseWeightsTests : BaseWeightsConformance<CpuDevices>;
