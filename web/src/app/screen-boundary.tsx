import { Component, type ReactNode } from 'react';
import { TroubleNote } from '../ui/states.tsx';

interface State {
  readonly thrown?: unknown;
  readonly at: string;
}

/** A screen that breaks says so in its own place; the ways to others stay, and going on mends it. */
export class ScreenBoundary extends Component<{ at: string; children: ReactNode }, State> {
  override state: State = { at: this.props.at };

  static getDerivedStateFromError(thrown: unknown): Partial<State> {
    return { thrown };
  }

  static getDerivedStateFromProps({ at }: { at: string }, state: State): State | null {
    return at === state.at ? null : { at, thrown: undefined };
  }

  override render(): ReactNode {
    if (this.state.thrown === undefined) return this.props.children;
    return (
      <div className="page">
        <TroubleNote thrown={this.state.thrown} retry={() => this.setState({ thrown: undefined })} />
      </div>
    );
  }
}
