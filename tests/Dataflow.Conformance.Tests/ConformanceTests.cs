namespace Dataflow.Conformance.Tests;

public sealed class GradientTests : GradientConformance<SelectedDevice>;

public sealed class TrajectoryTests : TrajectoryConformance<SelectedDevice>;

public sealed class StepShapeTests : StepShapeConformance<SelectedDevice>;

public sealed class EquivalenceTests : EquivalenceConformance<SelectedDevice>;

public sealed class SegmentTests : SegmentConformance<SelectedDevice>;

public sealed class VocabularyTests : VocabularyConformance<SelectedDevice>;

public sealed class ValidationTests : ValidationConformance<SelectedDevice>;

public sealed class OptimizerTests : OptimizerConformance<SelectedDevice>;

public sealed class GroupTests : GroupConformance<SelectedDevice>;

public sealed class FrozenTests : FrozenConformance<SelectedDevice>;

public sealed class SharedKvTests : SharedKvConformance<SelectedDevice>;

public sealed class LayerInputsTests : LayerInputsConformance<SelectedDevice>;

public sealed class StateTests : StateConformance<SelectedDevice>;

public sealed class ExpertTests : ExpertConformance<SelectedDevice>;

public sealed class ExpertAdapterTests : ExpertAdapterConformance<SelectedDevice>;

public sealed class FrozenTypeTests : FrozenTypeConformance<SelectedDevice>;

public sealed class FamilyTests : FamilyConformance<SelectedDevice>;

public sealed class PackedPositionsTests : PackedPositionsConformance<SelectedDevice>;

public sealed class EightBitMomentsTests : EightBitMomentsConformance<SelectedKernels>;

public sealed class MuonTests : MuonConformance<SelectedKernels>;
public sealed class NonFiniteTests : NonFiniteConformance<SelectedDevice>;

public sealed class WatchTests : WatchConformance<SelectedDevice>;
public sealed class TargetWeightTests : TargetWeightConformance<SelectedDevice>;

public sealed class AttentionTests : AttentionConformance<SelectedDevice>;

public sealed class AccumulationTests : AccumulationConformance<SelectedDevice>;

[Trait("Slow", "true")]
public sealed class PreferenceTests : PreferenceConformance<SelectedDevice>;
